"""What was done on the emulated campus, and whether what camtrapd told of it is true: every notification has to be explained by
something that was done, in its order, and when all is quiet nothing may be left that was not told.

What is ambiguous by right, and nothing else is let pass: a place that a device left again before the next quiet point may have been
seen or not; what is told of a place is what could be seen there while the device was there."""
import collections
import datetime
import json
import time

from lab import same

ORIGIN_NEW, ORIGIN_EXISTING, ORIGIN_RETURNED = 1, 2, 3
PRESENT, STALE, GONE = 1, 2, 3
ACCESS, SHARED, BEYOND, UNKNOWN = 1, 2, 3, 4
ABOUT_DEVICES = ('deviceDetected', 'deviceMoved', 'deviceGone', 'deviceReturned', 'deviceChanged')
NEVER = ('macFlood', 'conflictDetected', 'deviceHandled', 'agentTrouble', 'agentRecovered', 'summary')
FIRST_IF, AGGREGATE = 10100, 300
SHORT_S = 1.0		# an absence that is shorter is a flap, and told to nobody (D9)
HOLD_S = 15.0 + 5		# for so long the first word of what only uplinks showed is waited with, and until it arrives

At = collections.namedtuple('At', 'switch port')		# on this port
Beyond = collections.namedtuple('Beyond', 'switch')		# somewhere behind the port that leads to this switch
Gone = collections.namedtuple('Gone', 'last')			# and was there last


class Switch:
    def __init__(self, name, ports):
        self.name, self.ports, self.parent, self.parent_port, self.tree = name, ports, None, None, name
        self.children, self.reboots, self.old_reboots = [], 0, set()
        self.dead = False		# does not answer: since the last quiet point or longer
        self.impaired = False		# did not answer at some time since the last quiet point, or answered badly
        self.deaths = 0			# that have to be told
        self.revivals = 0

    def is_access(self):
        return self.name.startswith('acc-')


class Device:
    """A station. `track`: where it was since the last quiet point, and from when to when; the last is where it is."""

    def __init__(self, mac, restricted, vlan, place, at, says=False, only_says=False):
        self.mac, self.restricted, self.vlan, self.says, self.only_says = mac, restricted, vlan, says, only_says
        self.track = [(at, place)]
        self.silent_until = 0
        self.frozen = None		# the port on a dead switch at which its last table shows it
        self.locked = None		# a dead switch, until which answers again nothing more is done to it
        self.moves = 0
        self.last = None		# where it was plugged in last
        self.told = {(0, None)}		# (index into the track, what the notifications so far say)
        self.last_told = []

    def place(self):
        return self.track[-1][1]

    def goes(self, place, at):
        self.last = place or self.place() or self.last
        if place is not None and self.silent_until > at:
            self.track += [(at, None), (self.silent_until, place)]
        else:
            self.track.append((at, place))

    def span(self, i):
        return self.track[i + 1][0] - self.track[i][0] if i + 1 < len(self.track) else float('inf')


class Campus:
    """The model beside the emulated campus; each change goes to both."""

    def __init__(self, lab, clock):
        self.lab, self.clock, self.aged = lab, clock, True	# aged: at the next quiet point all that is absent is gone
        self.switches, self.devices, self.on_port, self.counts = {}, {}, collections.Counter(), {}
        for line in map(json.loads, lab.do('switches')):
            self.switches[line['name']] = Switch(line['name'], line['ports'])
        for l in map(json.loads, lab.do('links')):
            s = self.switches[l['switch']]
            s.parent, s.parent_port = l['towards'], l['towardsPort']
            self.switches[l['towards']].children.append(s.name)
        for s in self.switches.values():
            while self.switches[s.tree].parent is not None:
                s.tree = self.switches[s.tree].parent
        for mac, t in lab.truth().items():
            self.add(Device(mac, t['restricted'], t['vlan'], At(t['switch'], t['port']), clock()))
        self.quiet()

    # -- what is done
    def add(self, device):
        self.devices[device.mac] = device
        self.count(device.place(), 1)

    def count(self, place, by):
        self.on_port[place] += by
        self.counts.setdefault(place, {self.on_port[place] - by}).add(self.on_port[place])

    def plug(self, mac, place, vlan, restricted, says=None, ip=None, learn=0, only_says=False):
        words = f'plug {place.switch} {number(place.port)} {mac} vlan {vlan}'
        words += f' lldp {says[0]} {says[1]}' if says else ''
        words += f' ip {ip}' if ip else ''
        words += f' learn {learn}' if learn else ''
        now = self.clock()
        self.lab.do(words)
        known = self.devices.get(mac)
        if known is None:
            known = Device(mac, restricted, vlan, None, now, bool(says), only_says)
            self.devices[mac] = known
        known.vlan, known.says = vlan, known.says or bool(says)
        known.moves += known.last not in (None, place)		# before it is gone that is a move
        known.silent_until = now + learn
        known.goes(place, now)
        self.count(place, 1)
        self.lock(known)

    def unplug(self, mac):
        d = self.devices[mac]
        self.lab.do(f'unplug {mac}')
        self.count(d.place(), -1)
        d.silent_until = 0
        d.goes(None, self.clock())
        self.lock(d)

    def move(self, mac, place):
        d = self.devices[mac]
        now = self.clock()
        self.lab.do(f'move {mac} {place.switch} {number(place.port)}')
        self.count(d.place(), -1)
        self.count(place, 1)
        d.moves += 1
        d.goes(place, now)
        self.lock(d)

    def flap(self, mac, seconds):
        d, now = self.devices[mac], self.clock()
        self.lab.do(f'flap {mac} {seconds}')
        place = d.place()
        d.silent_until = max(d.silent_until, now + seconds)
        self.counts.setdefault(place, {self.on_port[place]}).add(self.on_port[place] - 1)
        d.goes(place, now)

    def reboot(self, name, seconds):
        s = self.switches[name]
        s.old_reboots.add(s.reboots)
        s.reboots += 1
        s.impaired = True
        self.lab.do(f'reboot {name} {seconds}')

    def loss(self, name, percent):
        for s in self.switches.values():
            if percent and name in (s.name, 'all'):
                s.impaired = True
        self.lab.do(f'loss {name} {percent}')

    def dead(self, name):
        """Only at a quiet point: what the daemon knows of it then is the truth."""
        s = self.switches[name]
        s.dead = s.impaired = True
        s.deaths += 1
        for d in self.devices.values():
            if d.place() is not None and d.place().switch == name:
                d.frozen = d.place()
        self.lab.do(f'dead {name}')

    def alive(self, name):
        s = self.switches[name]
        s.dead = False
        s.impaired = True
        s.revivals += 1
        for d in self.devices.values():
            if d.frozen is not None and d.frozen.switch == name:
                d.frozen = None
            if d.locked == name:
                d.locked = None
        self.lab.do(f'alive {name}')

    def lock(self, d):
        """Once a dead switch has to do with it, one thing at a time: what follows depends on what that switch will say."""
        for place in (d.frozen, d.place()):
            if place is not None and self.switches[place.switch].dead:
                d.locked = place.switch

    def may_be_held(self, d):
        """It came and went untold, so lately that a switch on the way may have shown it and the daemon still looks for its place."""
        return d.place() is None and len(d.track) > 1 and {b for _, b in d.told} == {None} and self.clock() - d.track[-1][0] < HOLD_S

    def quiet(self):
        """All was told: from here on."""
        for d in self.devices.values():
            if self.may_be_held(d):
                continue
            d.told = {(0, b) for _, b in self.final(d)}
            d.track = [d.track[-1]]
        for s in self.switches.values():
            s.impaired = s.dead
            s.old_reboots = set()
        self.counts = {}

    def last_change(self):
        return max(t[0] for d in self.devices.values() for t in d.track)

    # -- what has to be told of it
    def is_answering(self, place):
        return not self.switches[place.switch].dead

    def tree(self, place):
        return self.switches[place.switch].tree

    def believed(self, d):
        """Where the daemon has to believe it when all is quiet; None: gone, or never seen.

        The last table of a dead switch holds a device where it was, until a switch of the same tree shows it elsewhere. That of
        another tree does not: nobody knows whether what is plugged in there leads to the dead switch."""
        p, f = d.place(), d.frozen
        if f is not None and (p is None or not self.is_answering(p) or self.tree(p) != self.tree(f)):
            return f
        if p is not None and not self.is_answering(p):
            return Beyond(p.switch)
        return p

    def may_be_seen_as(self, place):
        if place is None:
            return ()
        return (place, Beyond(place.switch)) if self.switches[place.switch].impaired else (place,)

    def ways_to(self, name):
        """Every uplink that leads to this switch, the nearest first."""
        while self.switches[name].parent is not None:
            yield Beyond(name)
            name = self.switches[name].parent

    def says_where(self, e):
        """The place of a notification; None: it names none, or one that there is not."""
        if e['locationVerdict'] in (ACCESS, SHARED):
            return At(e['switchName'], e['portName'])
        for name in self.switches[e['switchName']].children if e['switchName'] in self.switches else ():
            if e['locationVerdict'] == BEYOND and self.switches[name].parent_port == e['portName']:
                return Beyond(name)
        return None

    def step(self, d, i, belief, e):
        """What is believed after `e` while the device was at the i-th place of its track; None: `e` is not explained by that."""
        place, where, kind = d.track[i][1], self.says_where(e), e['type']
        if kind == 'deviceGone':
            ok = place is None and d.span(i) >= SHORT_S and belief is not None and where == belief
            return Gone(where) if ok else None
        known = belief is not None and not isinstance(belief, Gone)
        seen_as = self.may_be_seen_as(place)
        if kind == 'deviceDetected' and place is not None and i < len(d.track) - 1:
            seen_as += tuple(self.ways_to(place.switch))	# an uplink may have shown it while those behind it were not asked
        if where is None or (where not in seen_as and not (kind == 'deviceChanged' and where == belief)):
            return None
        ok = {'deviceDetected': belief is None, 'deviceReturned': isinstance(belief, Gone), 'deviceMoved': known and where != belief,
              'deviceChanged': known and ((where == belief and d.says) or isinstance(belief, Beyond))}
        return where if ok[kind] else None

    def complaint(self, d, e):
        """What is wrong with the rest of `e`; None: nothing."""
        s, kind = self.switches.get(e['switchName']), e['type']
        if s is None:
            return 'no such switch'
        if e['ifIndex'] not in {FIRST_IF + n % 50 + number(e['portName']) for n in s.old_reboots | {s.reboots}} and kind != 'deviceGone':
            return 'ifIndex'
        by_neighbour = d.says and e['locationVerdict'] == ACCESS and 'not in the MAC table' in e['locationReason']
        if e['vlanId'] != d.vlan and not (by_neighbour and e['vlanId'] == 0):
            return 'VLAN'
        if (e['presence'] == GONE) != (kind == 'deviceGone') or (e['presence'] == STALE and not s.impaired):
            return 'presence'
        if kind == 'deviceDetected' and e['origin'] != ORIGIN_NEW or kind == 'deviceReturned' and e['origin'] != ORIGIN_RETURNED:
            return 'origin'
        counts = self.counts.get(At(e['switchName'], e['portName']), {self.on_port[At(e['switchName'], e['portName'])]})
        if kind != 'deviceGone' and not by_neighbour and (e['locationVerdict'] == ACCESS and min(counts) > 1 or
                                                          e['locationVerdict'] == SHARED and max(counts) < 2):
            return 'verdict'
        return None

    def hear(self, e):
        """A notification about a device, each once and in their order. What is wrong with it; None: nothing."""
        d = self.devices.get(e['deviceMac'])
        if d is None or not d.restricted:
            return 'false: no policy is about it'
        wrong = self.complaint(d, e)
        if wrong is not None:
            return f'wrong {wrong}'
        after = {(j, b) for i, belief in d.told for j in range(i, len(d.track)) for b in [self.step(d, j, belief, e)] if b is not None}
        if not after:
            return f'false: believed {sorted(map(str, d.told))}, was at {d.track}'
        d.told = after
        d.last_told.append(f"{e['type']} {self.says_where(e)}")
        return None

    def owed(self, d):
        """None: what was told of it is all there is to tell, by now. Else what is missing."""
        if self.final(d):
            return None
        return f'{d.mac}: want {self.believed(d)}, told {d.last_told[-4:]}, was at {d.track}'

    def final(self, d):
        """Of the readings of what was told those that end with the truth. None told and not there now: it came and went unseen. As
        long as its ageing time is not past, one that is not there may still be believed to be."""
        want = self.believed(d)
        unheard = d.only_says and isinstance(want, Beyond)	# what it says of itself only the dead switch hears
        return {(i, b) for i, b in d.told if b == want or (unheard and b is None) or
                (want is None and (not self.aged or isinstance(b, Gone)))}

    def verdict_at(self, place):
        return 'access' if self.on_port[place] == 1 else 'shared'

    def if_index(self, place):
        return FIRST_IF + self.switches[place.switch].reboots % 50 + number(place.port)

    def parent_port(self, name):
        s = self.switches[name]
        return At(s.parent, s.parent_port)


def number(port):
    return AGGREGATE + int(port[2:]) if port.startswith('Po') else int(port.rpartition('/')[2])


def seconds_of(text):
    return datetime.datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp() if text else 0


class Judge:
    """Holds what is told, listed and found against the campus at its quiet points. Seconds: `ageing` of the switches; until all were
    polled; until what is decided has arrived."""

    def __init__(self, lab, noc, campus, ageing, quiet_s=60, late_s=40, never=NEVER):
        self.lab, self.noc, self.campus, self.never = lab, noc, campus, never
        self.ageing, self.quiet_s, self.late_s = ageing, quiet_s, late_s
        self.heard, self.told, self.stations, self.polls = 0, collections.Counter(), 0, 0
        self.once, self.wrong, self.switch_told = {}, [], collections.defaultdict(list)

    # -- notifications
    def baseline(self):
        """What hangs there from the start: one by one on sensitive sites, a summary per switch on the others."""
        sites = {s['name']: s['site'] for s in self.lab.ctl('switches')['switches']}
        stock = [d for d in self.campus.devices.values() if d.restricted]
        paged = {d.mac: d for d in stock if sites[d.place().switch] == 'hq'}
        counted = collections.Counter(d.place().switch for d in stock if sites[d.place().switch] != 'hq')
        self.lab.wait(lambda: len(self.noc.events('deviceDetected')) >= len(paged) and len(self.noc.events('summary')) >= len(counted), 60,
                 'the stock is not told')
        same('the stock, one by one', {e['deviceMac']: self.campus.says_where(e) for e in self.noc.events('deviceDetected')},
             {m: d.place() for m, d in paged.items()})
        same('the stock, counted', {e['switchName']: e['count'] for e in self.noc.events('summary')}, dict(counted))
        self.heard = len(self.noc.received())
        for d in stock:
            d.told = {(0, d.place())}

    def listen(self, events):
        """All that is new, in the order of their sequence: two devices' may overtake each other on the way."""
        new = []
        for e in events[self.heard:]:
            first = self.once.setdefault(e['eventId'], e)
            if first is e:
                new.append(e)
            elif first != e:
                self.wrong.append(f'said twice and not the same: {first} {e}')
        self.heard = len(events)
        for e in sorted(new, key=lambda e: e['eventSequence']):
            self.judge(e)

    def judge(self, e):
        self.told[e['type']] += 1
        if e['type'] in ABOUT_DEVICES:
            complaint = self.campus.hear(e)
            if complaint is not None:
                self.wrong.append(f'{complaint}: {e}')
        elif e['type'] in self.never:
            self.wrong.append(f'false: {e}')
        elif e['type'] in ('switchUnreachable', 'switchReachable'):
            self.switch_told[e['switchName']].append(e['type'])

    def switches_owed(self):
        """Each death and each return once; one that lost packets may have been given up in between, and then is back."""
        for s in self.campus.switches.values():
            told = self.switch_told[s.name]
            wanted = ['switchUnreachable', 'switchReachable'] * s.deaths
            wanted = wanted[:-1] if s.dead else wanted
            if told != wanted:
                yield f'{s.name}: want {wanted}, told {told}'

    def devices_owed(self):
        return [o for o in (self.campus.owed(d) for d in self.campus.devices.values() if d.restricted) if o]

    def owed(self):
        return self.devices_owed() + list(self.switches_owed())

    # -- waiting
    def switches(self):
        """None of them while nobody answers: who does may just have been killed."""
        document = self.lab.ctl('switches', schema=False, status=None)
        return {s['name']: s for s in document['switches']} if document and 'switches' in document else {}

    def polled(self, since):
        """Until every switch that answers was read completely twice after `since`, ageing past, and every dead one is known."""
        seen = collections.defaultdict(list)

        def is_known(name, state):
            if self.campus.switches[name].dead:
                return state == 'unreachable'
            return len(seen[name]) >= 3 and (not self.campus.aged or seen[name][-1] - seen[name][0] >= self.ageing + 0.1)

        def is_done():
            now = self.switches()
            for name, s in now.items():
                at = seconds_of(s['lastComplete'])
                if at > since and at not in seen[name]:
                    seen[name].append(at)
            return now and all([is_known(name, s['state']) for name, s in now.items()])
        # The first of them may have begun before `since`: three are asked for.
        self.lab.wait(is_done, self.quiet_s, 'not all switches are polled')

    def quiet(self):
        self.polled(time.time() - max(0, time.monotonic() - self.campus.last_change()))
        end = time.monotonic() + self.late_s
        while True:
            self.listen(self.noc.received())
            owed = self.owed()
            if self.wrong or not owed or time.monotonic() > end:
                break
            time.sleep(0.2)
        self.wrong += [f'missing: {o}' for o in owed]
        if self.wrong:
            self.explain()
        assert not self.wrong, '\n'.join(self.wrong[:20])

    def explain(self):
        """What the daemon says of the devices that are wrong, for whoever has to find out why."""
        text = ' '.join(self.wrong)
        for d in self.lab.ctl('devices', schema=False)['devices']:
            if d['mac'] in text:
                sightings = self.lab.ctl('find', d['mac'], schema=False)['stations']
                print(d['mac'], d['presence'], d['location'], sightings)

    # -- documents
    def devices(self):
        got, open_ = {}, {d.mac for d in self.campus.devices.values() if d.place() is None and not self.campus.aged}
        for d in self.lab.ctl('devices', schema=False)['devices']:
            l = d['location']
            if d['mac'] in open_:		# gone or not yet: told with the next quiet point that waits for ageing
                continue
            got[d['mac']] = 'gone' if d['presence'] == 'gone' else (d['presence'], l['verdict'], l['switch'], l['ifIndex'], l['port'], l['vlan'])
        want = {d.mac: self.device(d) for d in self.campus.devices.values() if d.restricted and d.mac not in open_}
        return {m: w for m, w in want.items() if w is not None}, got

    def device(self, d):
        belief = next(b for _, b in self.campus.final(d))
        if belief is None or isinstance(belief, Gone):
            return 'gone' if belief is not None else None
        if isinstance(belief, Beyond):
            at = self.campus.parent_port(belief.switch)
            return 'present', 'beyond-uplink', at.switch, self.campus.if_index(at), at.port, d.vlan
        presence = 'present' if self.campus.is_answering(belief) else 'stale'
        return presence, self.verdict(belief), belief.switch, self.campus.if_index(belief), belief.port, d.vlan

    def verdict(self, place):
        """On a dead switch by its last table."""
        if self.campus.is_answering(place):
            return self.campus.verdict_at(place)
        return 'access' if sum(d.frozen == place for d in self.campus.devices.values()) == 1 else 'shared'

    def compare_devices(self):
        end = time.monotonic() + self.late_s
        while True:
            want, got = self.devices()
            if want == got or time.monotonic() > end:
                break
            time.sleep(0.5)
        wrong = {m: (want.get(m), got.get(m)) for m in want.keys() | got.keys() if want.get(m) != got.get(m)}
        assert not wrong, f'devices that differ (want, got): {wrong}'

    def is_memory(self, location):
        """All that the last table of a dead switch says of what went meanwhile: beyond one of its ports."""
        return location['verdict'] == 'beyond-uplink' and self.campus.switches[location['switch']].dead

    def compare_stations(self):
        got = {s['mac']: s['location'] for s in self.lab.ctl('find', '--all', schema=False, timeout=300)['stations']}
        truth, wrong = self.lab.truth(), {}
        for mac, d in self.campus.devices.items():
            place = d.place()
            if (place is None) != (mac not in truth) or (place and place != At(truth[mac]['switch'], truth[mac]['port'])):
                raise AssertionError(f'the model is wrong about {mac}: {place}, {truth.get(mac)}')
            if place is None or not self.campus.is_answering(place):
                if place is None and d.frozen is None and mac in got and not self.is_memory(got[mac]):
                    wrong[mac] = (None, got[mac])
                continue
            self.stations += 1
            l, t = got.get(mac, {}), truth[mac]
            if d.frozen is not None and self.campus.tree(d.frozen) != self.campus.tree(place):
                ok = l.get('verdict') == 'unknown' and (place.switch, place.port) in [(c['switch'], c['port']) for c in l['candidates']]
            else:
                ok = (l.get('switch'), l.get('ifIndex'), l.get('port'), l.get('vlan'), l.get('verdict')) == \
                    (t['switch'], t['ifIndex'], t['port'], t['vlan'], self.verdict(place))
            if not ok:
                wrong[mac] = (t, l)
        for mac in list(wrong)[:5]:		# for whoever has to find out why
            print(mac, self.lab.ctl('find', mac, schema=False), [line for line in open(self.lab.dir + '/actions.log') if mac in line])
        assert not wrong, f'{len(wrong)} stations at a wrong place (want, got): {dict(list(wrong.items())[:5])}'
