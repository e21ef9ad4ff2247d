#!/usr/bin/env python3
"""What the poller promises, kept against switches that lie, break off, loop, or say nothing (threat-model.md P1 to P9). The agent
is rogue.py; poll_peer polls with the poller's own code; at the end the daemon among 200 live and 1,100 dead switches."""
import json
import os
import re
import subprocess
import sys
import time

from lab import Lab, Trapd, free_port, same
from rogue import BULK, CAMERA, FDB, GEN_ERR, GET, NEXT, OTHER, Rogue, Switch, TOO_BIG, UPTIME, integer, mac_of, oid, tables, text, tlv

INTERVAL = 8			# of the switches of the daemon, seconds
ALL = 63				# every kind of row is complete
FDB_BIT = 4
BUILD, PEER = sys.argv[1], sys.argv[2]


def start(rogue, switches, *options, community='c'):
    """`switches`: address -> Switch. A poll_peer that polls them at the same time."""
    for address, s in switches.items():
        rogue.add(address, s)
    return subprocess.Popen([PEER, *options, '-c', community, *(f'{a}:{rogue.port}' for a in switches)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def finish(p, seconds=60):
    """(polls in order, counters)"""
    out, err = p.communicate(timeout=seconds)
    assert p.returncode == 0, (p.returncode, err[-3000:])
    lines = [json.loads(x) for x in out.splitlines()]
    return lines[:-1], lines[-1]


def poll(rogue, switch, *options, address='127.0.8.1', **kw):
    polls, counters = finish(start(rogue, {address: switch}, *options, **kw))
    return polls[-1], counters


def macs_of(numbers, ports=4):
    return sorted('%s %u 20' % (':'.join('%02x' % b for b in mac_of(n)), 101 + n % ports) for n in numbers)


WHOLE = macs_of(range(1, 31))


def whole(what, p):
    same(what, (p['state'], p['complete'], sorted(p['macs'])), ('ok', ALL, WHOLE))


def not_whole(what, p, reason, table='dot1qTpFdb'):
    """Incomplete, never empty, with the reason; other tables are as they are."""
    same(what, (p['state'], p['complete'] & FDB_BIT, f'{table}: {reason}' in p['error']), ('incomplete', 0, True))
    assert p['complete'] & 2, f'{what}: the table of interfaces was good: {p}'


# ---- P7: what a switch does not stand is found out, and remembered

class NoBulk(Switch):
    def __init__(self, how):
        super().__init__()
        self.how = how

    def answer(self, q):
        return self.how(q) if q.pdu == BULK and q.community == self.community else super().answer(q)


class Small(Switch):
    """tooBig for more than a few objects in an answer."""
    most = 6

    def answer(self, q):
        v = self.varbinds(q)
        return q.reply(v) if q.pdu == GET or len(v) <= self.most else q.reply([], TOO_BIG, 0)


class Repeats(Switch):
    """Takes no notice of max-repetitions."""

    def __init__(self, n):
        super().__init__()
        self.n = n

    def answer(self, q):
        if q.pdu == BULK:
            q.b = self.n
        return super().answer(q)


def requests_that_shrink(rogue):
    refusing = {'GETBULK refused': NoBulk(lambda q: q.refuse(GEN_ERR)), 'GETBULK not answered': NoBulk(lambda q: []),
                'empty answer to GETBULK': NoBulk(lambda q: q.reply([])),
                'GETBULK answered with octets cut off': NoBulk(lambda q: q.reply([(q.oids[0], integer(1))])[:-3])}
    switches = {f'127.0.8.{10 + i}': s for i, s in enumerate(refusing.values())}
    # a second poll after all the first ones: what is remembered shows in its questions
    p = start(rogue, switches, '-n', '2', '-w', '1000')
    little = {'127.0.8.20': Small(), '127.0.8.21': Repeats(1), '127.0.8.22': Repeats(100)}
    for q in finish(start(rogue, little))[0]:
        whole(f'P7: {type(little[q["address"].split(":")[0]]).__name__} is read whole', q)
    polls, _ = finish(p)
    for (what, s), address in zip(refusing.items(), switches):
        first, second = [q for q in polls if q['address'].startswith(address + ':')]
        whole(f'P7: {what}: read by GETNEXT', first)
        whole(f'P7: {what}: and again', second)
        same(f'P7: {what}: remembered, no GETBULK in the second poll', BULK in s.pdus[first['requests']:], False)


# ---- P1, P2: a walk ends

class Walk(Switch):
    """next() inside the FDB as `how` says; how(None, …) in front of it."""

    def __init__(self, how, one=False, delay=0.0, **kw):
        super().__init__(**kw)
        self.how, self.one, self.delay = how, one, delay

    def next(self, o):
        return self.how(super().next, o) if o[:len(FDB)] == FDB else super().next(o)

    def answer(self, q):
        if self.one and q.pdu == BULK:
            q.b = 1
        return [(self.delay, super().answer(q), None, False)]


def endless(_, o):
    base, n = o[:len(FDB) + 1], 0
    for b in o[len(base) + 1:]:
        n = n << 8 | b
    return base + (20,) + tuple(((2 << 40) + (n + 1) % (1 << 40)).to_bytes(6, 'big')), integer(1)


def stands_still(next_of, o):
    return (o, integer(1)) if len(o) > len(FDB) + 1 else next_of(o)


def circle(next_of, o):
    n, v = next_of(o)
    return next_of(FDB + (o[len(FDB)],)) if n[-1] == 10 else (n, v)


def falls_back(next_of, o):
    """After a few rows an object from before the table: looks like its end, and is none."""
    n, v = next_of(o)
    return ((1, 3, 6, 1, 2, 1, 1, 1, 0), text('again')) if n[-1] == 10 else (n, v)


class EverTooBig(Switch):
    def answer(self, q):
        return super().answer(q) if q.pdu == GET else q.refuse(TOO_BIG)


class Mute(Switch):
    """Says nothing from the FDB on (and so never again in this poll)."""

    def answer(self, q):
        return [] if any(o[:len(FDB)] == FDB for o in q.oids) else super().answer(q)


class EmptyAnswers(Switch):
    def answer(self, q):
        return q.reply([]) if any(o[:len(FDB)] == FDB for o in q.oids) else super().answer(q)


def walks_that_end(rogue):
    slow = start(rogue, {'127.0.8.40': Walk(endless, one=True, delay=0.1)}, '-i', '3')
    mute = start(rogue, {'127.0.8.41': Mute()}, '-i', '1')
    for what, s in (('stands still', Walk(stands_still)), ('goes in a circle', Walk(circle)), ('falls back behind its start',
                    Walk(falls_back)), ('is empty, also to GETNEXT', EmptyAnswers())):
        p, _ = poll(rogue, s)
        not_whole(f'P1: a table that {what} is incomplete', p, 'the agent misbehaves')
    p, _ = poll(rogue, EverTooBig())
    same('P1, P7: tooBig for ever: all incomplete, soon', (p['state'], p['complete'] & 14, p['requests'] < 200), ('incomplete', 0, True))
    p, _ = poll(rogue, Walk(endless), '-m', '500')
    not_whole('P1: a table without end stops at max_rows', p, 'more rows than allowed')
    same('P1: with just so many rows', p['fdb'], 500)

    s = Walk(endless, one=True)
    p, _ = poll(rogue, s, '-m', '1000')
    not_whole('P2: one row per answer without end: the budget of requests', p, 'more requests needed than allowed')
    same('P2: max_rows / 10 + 200 requests, counted at the switch', (len(s.asked), p['requests'], s.most_flying),
         (p['requests'], p['requests'], 1))
    assert 290 <= p['requests'] <= 300, p['requests']

    p = finish(slow)[0][0]
    not_whole('P1: a slow table without end: the time of the poll', p, 'no time left')
    same('P1: it ends within its interval of 3 s', 2500 <= p['ms'] <= 3100, True)
    p = finish(mute)[0][0]
    not_whole('P1: time-outs end with the time allowed, too', p, 'no time left')
    same('P1: within the interval of 1 s, and not after 0.5 + 1 + 2 s', p['ms'] <= 1300, True)


# ---- P4, P5: rubbish

def rubbish(rogue):
    bad = {FDB + (2, 20, 1, 2, 3, 4, 5): integer(1), FDB + (2, 20, 1, 2, 3, 4, 5, 6, 7): integer(1), FDB + (2, 20, 1, 2, 3, 4, 5, 300): integer(1),
           FDB + (2, 20, 1, 2, 3, 4, 5, 1): text('port one'), FDB + (2, 20, 1, 2, 3, 4, 5, 2): tlv(5, b''), FDB + (2, 20, 1, 2, 3, 4, 5, 3): integer(-7),
           FDB + (2, 20, 1, 2, 3, 4, 5, 4): integer(1 << 40, 0x46), FDB + (2, 20, 1, 2, 3, 4, 5, 5): oid((1, 3, 6)),
           FDB + (2, 5000, 1, 2, 3, 4, 5, 6): integer(1), FDB + (3, 20, 1, 2, 3, 4, 5, 3): text(''),
           (1, 3, 6, 1, 2, 1, 2, 2, 1, 2, 0): text('x'), (1, 3, 6, 1, 2, 1, 2, 2, 1, 2, 1 << 31): text('x'),
           (1, 3, 6, 1, 2, 1, 17, 1, 4, 1, 2, 9): integer(1 << 33, 0x46)}
    p, _ = poll(rogue, Switch(tables(extra=bad)))
    same('P5: the good rows among rubbish', set(WHOLE) <= set(p['macs']), True)
    dropped = sum(n for what, n in p['notes'].items() if what.startswith('dropped'))
    same('P4: rubbish is dropped and counted', dropped >= 8, True)
    same('P4: what is left over names no port', [m for m in p['macs'] if m not in WHOLE and m.split()[1] != '0' and
                                                 m.split()[1] not in ('101',)], [])

    class Cut(Switch):
        """Before each answer one that is cut somewhere, and one whose second half is inverted."""
        n = 0

        def answer(self, q):
            a = super().answer(q)
            self.n += 1
            return [(0, a[:len(a) * (self.n % 7 + 1) // 9], None, False),
                    (0, a[:len(a) // 2] + bytes(x ^ 0xff for x in a[len(a) // 2:]), None, False), (0.02, a, None, False)]

    p, n = poll(rogue, Cut())
    whole('P4: octets cut off or inverted are dropped; the poll goes on', p)
    same('P4: and counted', n['malformed'] >= p['requests'], True)


# ---- P3: whose reply it is

class Forged(Switch):
    """First something that is not the reply, with stations of its own; the true one 15 ms later."""

    def __init__(self, how):
        super().__init__()
        self.how, self.false = how, Switch(tables(range(1000, 1030)))

    def answer(self, q):
        return [self.how(q, self.false.varbinds(q)), (0.015, super().answer(q), None, False)]


class Elsewhere(Switch):
    def answer(self, q):
        return [(0, super().answer(q), '127.0.9.9', False)]


def whose_reply(rogue):
    forged = {'from another port': ('strays', lambda q, v: (0, q.reply(v), None, True)),
              'from another address': ('strays', lambda q, v: (0, q.reply(v), '127.0.9.8', False)),
              'with another request-id': ('strays', lambda q, v: (0, q.reply(v, reqid=q.id + 1), None, False)),
              'with another community': ('mismatched', lambda q, v: (0, q.reply(v, community=b'd'), None, False)),
              'with a longer community': ('mismatched', lambda q, v: (0, q.reply(v, community=b'cc'), None, False)),
              'of another version': ('mismatched', lambda q, v: (0, q.reply(v, version=0), None, False)),
              'that is a request': ('mismatched', lambda q, v: (0, q.reply(v, pdu=GET), None, False))}
    for i, (what, (counter, how)) in enumerate(forged.items()):
        p, n = poll(rogue, Forged(how), address=f'127.0.8.{60 + i}')
        whole(f'P3: a reply {what} is dropped', p)
        same(f'P3: and counted, each ({counter})', n[counter], p['requests'])
    p, _ = poll(rogue, Elsewhere(), '-r', '127.0.9.9')
    whole('P3: reply_from lets it answer from that address', p)
    p, n = poll(rogue, Elsewhere(), '-r', '127.0.9.7', '-p')
    same('P3: and from no other', (p['state'], n['strays']), ('unreachable', 1))


def ids_cannot_be_told(rogue):
    """Two switches asked in turn, so that a step from one id to the next, of all or of one of them, would be seen."""
    a, b = Switch(), Switch()
    finish(start(rogue, {'127.0.8.1': a, '127.0.8.2': b}, '-n', '4'))
    ids = a.ids + b.ids
    steps = [(y - x) % 2 ** 31 for x in ids for y in ids]
    same('P3: ids of requests are above 0 and none comes twice', (min(ids) > 0, len(ids) > 50, len(set(ids))), (True, True, len(ids)))
    same('P3: none is near another, nor as far from it as others are', (min(x for x in steps if x) > 2, len(set(steps)) > 0.99 * len(steps) - len(ids)),
         (True, True))


class Twice(Switch):
    def answer(self, q):
        a = super().answer(q)
        return [(0, a, None, False), (0.001, a, None, False)]


class Late(Switch):
    """The second question of the poll is answered when it was given up, with another table."""
    n = 0

    def answer(self, q):
        self.n += 1
        return [(0.7 if self.n == 2 else 0.01, super().answer(q), None, False)]


def late_and_twice(rogue):
    p, n = poll(rogue, Twice())
    whole('P3: each reply twice: read whole', p)
    # a question asked again on a busy machine is answered twice, too; nobody counts what comes after the end of the poll, which
    # is the second answer to as many questions as were asked together at last
    asked = len(rogue.switches['127.0.8.1'].asked)
    same(f'P3: the second ones are strays: {asked} questions, {n}', n['replies'] + n['strays'] <= 2 * asked and
         n['strays'] >= asked - 8 > 0, True)
    p, n = poll(rogue, Late(), '-n', '2', '-w', '500')
    whole('P3: a late reply', p)
    same('P3: is a stray, and its question was asked again', (n['resent'], n['strays']), (1, 1))


# ---- what is lost is asked again when a later question is answered; who is slow is left in peace

class Loses(Switch):
    """From its second poll on, of the questions for tables every 15th gets lost."""

    def __init__(self):
        super().__init__(tables(range(1, 1001)))
        self.begun, self.seen, self.lost, self.nudged, self.open = 0, 0, 0, 0, False

    def answer(self, q):
        self.begun += (1, 3, 6, 1, 2, 1, 1, 2, 0) in q.oids
        if self.begun < 2:
            return super().answer(q)
        if q.pdu == GET:
            self.nudged += self.open and q.oids == [UPTIME]
            return super().answer(q)
        self.seen += 1
        self.open = self.loses()
        self.lost += self.open
        return self.instead(super().answer(q)) if self.open else super().answer(q)

    def loses(self):
        return self.seen % 15 == 3

    def instead(self, _):
        return []


class Ponders(Loses):
    """What Loses loses this one answers late, and other questions meanwhile."""

    def instead(self, answer):
        return [(0.08, answer, None, False)]


class Dies(Loses):
    def loses(self):
        return True


class Beside(Walk):
    """Answers all the time; may be nudged on a busy machine."""
    nudged = 0

    def answer(self, q):
        self.nudged += q.oids == [UPTIME]
        return super().answer(q)


def nudges(rogue):
    """Beside one that answers all the time: to another one's silence alone nobody would be nudged."""
    loses, ponders, dies, beside = Loses(), Ponders(), Dies(), Beside(endless, one=True, delay=0.004)
    polls, n = finish(start(rogue, {'127.0.8.1': loses, '127.0.8.2': ponders, '127.0.8.3': dies, '127.0.8.4': beside}, '-n', '2', '-i', '4', '-m',
                            '200000'))
    second = {a: [p for p in polls if p['address'].startswith(a + ':')][1] for a in ('127.0.8.1', '127.0.8.2', '127.0.8.3')}
    p = second['127.0.8.1']
    same('lost questions: read whole', (p['state'], p['complete'], len(p['macs'])), ('ok', ALL, 1000))
    same(f'each was asked again without its time-out: {loses.lost} lost, {loses.nudged} nudges, {p["timeouts"]} time-outs',
         (loses.lost >= 6, loses.nudged >= loses.lost - p['timeouts'], p['timeouts'] * 3 <= loses.lost), (True, True, True))
    p = second['127.0.8.2']
    same('slow answers: read whole', (p['state'], p['complete'], len(p['macs'])), ('ok', ALL, 1000))
    same(f'who answers out of order is not nudged again: {ponders.lost} slow, {ponders.nudged} nudges',
         (ponders.lost >= 6, 1 <= ponders.nudged <= 4, p['timeouts']), (True, True, 0))
    p = second['127.0.8.3']
    same(f'tables that are never answered, but nudges: {dies.nudged} nudges, {p["timeouts"]} time-outs',
         (p['state'], p['timeouts'] >= 3, 1 <= dies.nudged <= 2 * p['timeouts'] + 1), ('incomplete', True, True))
    told = loses.nudged + ponders.nudged + dies.nudged		# the last question of a poll may look like one
    same(f'they are counted: {told}, {n}', n['nudges'] + 3 >= told >= n['nudges'] - beside.nudged, True)


# ---- P6: a restart in the middle

CDP = (1, 3, 6, 1, 4, 1, 9, 9, 23)


class Restarts(Switch):
    """At the first question for a table the clock starts anew and most stations are not learned yet."""

    def __init__(self, up_s, delay, table=FDB):
        super().__init__(up_s=up_s)
        self.delay, self.table, self.restarted = delay, table, False

    def answer(self, q):
        if not self.restarted and any(o[:len(self.table)] == self.table for o in q.oids):
            self.restarted = True
            self.started = time.monotonic()
            self.set(tables(range(1, 3)))
        return [(self.delay, super().answer(q), None, False)]


class StoppedClock(Switch):
    def uptime(self):
        return 500

    def answer(self, q):
        return [(0.15, super().answer(q), None, False)]


class NoClockAtTheEnd(Switch):
    n = 0

    def answer(self, q):
        self.n += UPTIME in q.oids
        return [] if self.n > 2 and UPTIME in q.oids else super().answer(q)


def restarts(rogue):
    switches = {'127.0.8.80': Restarts(1000, 0.0), '127.0.8.81': Restarts(0.1, 0.15, CDP), '127.0.8.82': StoppedClock(), '127.0.8.83': NoClockAtTheEnd()}
    polls = {p['address'].split(':')[0]: p for p in finish(start(rogue, switches, '-i', '20'))[0]}
    for what, a in (('sysUpTime went back', '127.0.8.80'), ('the switch is up for less time than the poll took', '127.0.8.81')):
        p = polls[a]
        same(f'P6: {what}: nothing is complete, so nothing is removed', (p['state'], p['complete'], 'restarted' in p['error']),
             ('incomplete', 0, True))
    whole('P6: a clock that stands still is no restart', polls['127.0.8.82'])
    same('P6: no answer at the end: a restart cannot be ruled out', (polls['127.0.8.83']['state'], polls['127.0.8.83']['complete']),
         ('incomplete', 0))


# ---- P3 for v3: another engine behind the same address

class Snmpd:
    def __init__(self, lab, n, port):
        folder = os.path.join(lab.dir, f'snmpd{n}.d')
        os.makedirs(folder)
        with open(os.path.join(folder, 'snmpd.conf'), 'w') as f:
            f.write(f'exactEngineID 0x80001f8804{n:02x}aabbccdd\ncreateUser u SHA-256 "secret secret" AES "secret secret"\nrouser u priv\n')
        self.log = os.path.join(folder, 'log')
        self.process = lab.start(f'snmpd{n}', ['snmpd', '-f', '-C', '-c', f.name, '-Lf', self.log, '-I', 'system_mib,usmConf,usmUser,vacm_conf,snmpEngine',
                                               f'udp:127.0.0.1:{port}'], env={'SNMP_PERSISTENT_DIR': folder, 'MIBS': ''})
        lab.wait(lambda: os.path.exists(self.log) and 'NET-SNMP' in open(self.log).read(), 10, 'snmpd does not start')

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def another_engine(lab):
    port = free_port()
    one = Snmpd(lab, 1, port)
    argv = ['-3', '-n', '2', '-w', '3000', '-i', '20', '-c', 'u:secret secret', f'127.0.0.1:{port}']
    full, ping = (subprocess.Popen([PEER, *extra, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for extra in ([], ['-p']))
    time.sleep(1.2)
    one.stop()
    lab.processes.pop('snmpd1')
    Snmpd(lab, 2, port)
    return full, ping


def changes(p):
    """What was said of an engine that is another: address and both IDs, how often; and the number in it."""
    out, err = p.communicate(timeout=60)
    assert p.returncode == 0, err[-3000:]
    said = re.findall(r'(127\.0\.0\.1\S*): the SNMPv3 engine (\w+) answers where (\w+) did.*\((\d+) such', err)
    *polls, n = map(json.loads, out.splitlines())
    return polls, (n['replaced'], [(a.endswith(f':{p.args[-1].split(":")[1]}'), *rest) for a, *rest in said])


TOLD = (1, [(True, '80001f880402aabbccdd', '80001f880401aabbccdd', '1')])


def another_engine_seen(full, ping):
    polls, told = changes(full)
    same('P3: v3: the change of engine is told once, and counted', told, TOLD)
    same('P3: v3: polls before and after the change of engine', [p['state'] for p in polls], ['ok', 'ok'])
    same('P3: v3: the new engine took a time-out or a Report to find', polls[1]['requests'] > polls[0]['requests'], True)
    polls, told = changes(ping)
    same('P3: v3: and so it is by a ping', told, TOLD)
    same('P8: v3: one ping finds the switch again, though its engine is another', [(p['state'], p['requests'], p['timeouts']) for p in polls],
         [('ok', 2, 0), ('ok', 2, 0)])


# ---- P8: a dead switch comes back with another credential

class Recredentialed(Switch):
    """After the first poll its community is another one; notes what it is asked with."""
    communities = ()

    def answer(self, q):
        self.communities += (q.community.decode(),)
        return super().answer(q)


def comes_back(rogue):
    for what, n, credentials, now, pings in (
            ('the second credential', 3, 'ab', 'b', 'ab'), ('the last one', 7, 'abc', 'c', 'abacab'),
            ('the one that worked', 4, 'ab', 'a', 'aba'), ('one that nobody knows', 6, 'abc', 'x', 'abaca')):
        s = rogue.add('127.0.8.85', Recredentialed(community=b'a'))
        p = subprocess.Popen([PEER, '-P', '-n', str(n), '-w', '300', *(x for c in credentials for x in ('-c', c)), f'127.0.8.85:{rogue.port}'],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = json.loads(p.stdout.readline())
        same(f'P8: {what}: the poll before', first['state'], 'ok')
        with rogue.lock:
            s.community, s.communities = now.encode(), ()
        polls, _ = finish(p)
        same(f'P8: {what}: asked with', ''.join(s.communities), pings)
        same(f'P8: {what}: found by pings alone', [q['state'] for q in polls], ['ok' if c == now else 'unreachable' for c in pings])


# ---- P2, P8: many at once

class Slow(Switch):
    def answer(self, q):
        return [(0.05, super().answer(q), None, False)]


class Silent(Switch):
    def answer(self, q):
        return []


def many(rogue):
    mib = tables()
    switches = {f'127.1.{i >> 8}.{i & 255}': Slow(mib) for i in range(1, 301)}
    polls, n = finish(start(rogue, switches))
    same('P2: 300 switches at once, all whole', {(p['state'], p['complete'], p['fdb']) for p in polls}, {('ok', ALL, 30)})
    same('P2: hundreds of them in flight together, as the agent saw it', rogue.most_open > 150, True)
    same('P2: and never more than one question to any of them', max(s.most_flying for s in switches.values()), 1)
    same('each poll counts its own requests', (sum(p['requests'] for p in polls), sum(p['timeouts'] for p in polls)), (n['requests'], n['timeouts']))

    s, dead = Switch(), {f'127.0.8.{i}': Silent() for i in range(90, 95)}
    polls, n = finish(start(rogue, {'127.0.8.1': s, **dead}, '-i', '3'))
    live = next(p for p in polls if p['address'].startswith('127.0.8.1:'))
    same('a live switch has no time-outs of the dead ones beside it', (live['timeouts'], live['requests']), (0, len(s.asked)))
    polls, n = finish(start(rogue, {'127.0.8.95': Silent()}, '-p'))
    same('P8: a ping is one packet', (polls[0]['state'], polls[0]['requests'], n['requests']), ('unreachable', 1, 1))


def our_own_trouble(rogue):
    s = Switch()
    rogue.add('127.0.8.1', s)
    polls, n = finish(subprocess.Popen([PEER, '-p', '-c', 'c', '255.255.255.255', '[fe80::1]:161'], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True))
    same('what the system does not send is counted, and waited for like a lost one', (n['unsent'], n['timeouts']), (1, 1))
    p = next(p for p in polls if p['address'].startswith('[fe80'))
    same('an address that cannot be asked says why', ('link-local' in p['error'], p['requests']), (True, 0))
    (p,), n = finish(start(rogue, {'127.0.8.1': s}, '-o'))
    same('out of memory at each allocation in turn: no abort, nothing told of the switch that is not so', p['wrong'], 0)
    same('and every kind of end was there', (p['allocations'] > 40, p['dropped'] > 3, p['incomplete'] > 30), (True, True, True))


# ---- the daemon

class Camera(Switch):
    """Two cameras; later a walk that breaks off behind the second one only; then only the second."""
    stage = 1

    def __init__(self):
        super().__init__(tables((1, 3), ageing=10))

    def next(self, o):
        n, v = super().next(o)
        if self.stage == 2 and o[:len(FDB)] == FDB:
            if len(o) > len(FDB) + 1:
                return o, v			# does not go on
        return n, v

    def go(self, stage):
        self.stage = stage
        self.set(tables((2, 3), ageing=10))


def presence(lab):
    return {d['mac']: d['presence'] for d in lab.devices()}


def states(lab, dead, live):
    got = {s['name']: s['state'] for s in lab.ctl('switches')['switches']}
    return {got[a] for a in dead}, {got[a] for a in live}, got['127.2.1.1']


def daemon(rogue):
    camera = Camera()
    live = {f'127.2.0.{i}': Switch(tables(range(i * 8, i * 8 + 8), oui=OTHER)) for i in range(1, 201)}
    dead = {f'127.3.{i >> 8}.{i & 255}': Silent() for i in range(1, 1101)}
    some = dict(list(dead.items())[:550])
    every = {**some, **live, '127.2.1.1': camera, **dead}	# from both ends more dead ones than there are slots
    for a, s in every.items():
        rogue.add(a, s)
    one, two, three = (':'.join('%02x' % b for b in mac_of(n)) for n in (1, 2, 3))
    with Lab(BUILD) as lab:
        noc = Trapd(lab, 'noc')
        rows = ',\n'.join(f'{{ name = "{a}"; address = "{a}:{rogue.port}"; site = "hq"; poll_interval = "{3 if s is camera else INTERVAL}s"; }}'
                          for a, s in every.items())
        lab.configure('sites = ( { name = "hq"; sensitivity = "sensitive"; } );\ncredentials = ( { name = "campus"; version = "2c"; '
                      'community = "c"; } );\nswitch_defaults = { credential = "campus"; };\n'
                      f'switches = (\n{rows} );\n', [lab.receiver(noc)], pollers=1)
        lab.camtrapd()
        lab.wait(lambda: len([s for s in live.values() if s.asked]) == len(live), 20, 'P8: live switches wait for dead ones')
        begin = min(s.asked[0] for s in every.values() if s.asked)
        last = max(s.asked[0] for s in live.values())
        print(f'the first question to the last live one after {last - begin:.1f} s')
        same('P8: 1,100 dead switches around them: all live ones are asked in 3 s all the same', last - begin < 3, True)
        lab.wait(lambda: lab.swept(), 40, 'no first sweep')
        lab.wait(lambda: presence(lab) == {one: 'present', three: 'present'}, 20, f'P5: the cameras are not seen: {presence(lab)}')

        camera.go(2)
        lab.wait(lambda: presence(lab).get(two) == 'present', 20, 'P5: what came before the break is not found')
        t = time.monotonic()
        while time.monotonic() - t < 14:			# beyond ageing, and more than two polls
            p = presence(lab)
            assert p == {one: 'present', two: 'present', three: 'present'}, f'P1: an incomplete walk has removed something: {p}'
            time.sleep(1)
        print('ok: P1: an incomplete walk adds and never removes')
        want = ({'unreachable'}, {'ok'}, 'incomplete')
        lab.wait(lambda: states(lab, dead, live) == want, 15, 'P8: the dead are unreachable, the live ok, the broken one incomplete')
        same('P8: the dead are unreachable, the live ok, the broken one incomplete', states(lab, dead, live), want)
        end = time.monotonic()
        starts_hold(live, end)
        dead_are_pinged(dead, begin, end)
        camera.go(3)
        lab.wait(lambda: presence(lab).get(one) == 'gone', 40, 'R7: a complete walk removes')
        same('R7: complete walks do remove', presence(lab), {one: 'gone', two: 'present', three: 'present'})


def too_long_to_tell(rogue):
    """More rows than the poller can hand on, 21,000 interfaces with two names of 255 octets: what was known stays, it is said and counted,
    and the switch is not asked for it again and again."""
    switch, names = Switch(tables()), (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
    rogue.add('127.4.0.1', switch)
    with Lab(BUILD) as lab:
        lab.configure('credentials = ( { name = "campus"; version = "2c"; community = "c"; } );\nswitch_defaults = { credential = "campus"; };\n'
                      f'switches = ( {{ name = "long"; address = "127.4.0.1:{rogue.port}"; }} );\n', [], pollers=1)
        lab.camtrapd()
        lab.wait(lambda: lab.swept(), 20, 'no first sweep')
        switch.set(tables(range(1, 5), extra={names + (column, i): text('x' * 255) for column in (1, 18) for i in range(1000, 22000)}))
        lab.ctl('poll', 'long', status=None)
        lab.wait(lambda: lab.ctl('status')['counters']['poller']['untold'] > 0, 120, 'it is not counted')
        asked = len(switch.asked)
        s = lab.ctl('switches', 'long')['switches'][0]
        same('a report that is too long', (s['state'], s['error'], s['fdbRows']), ('incomplete', 'poll: more rows than can be told', 30))
        time.sleep(3)
        same('it is not asked for again and again', (len(switch.asked) - asked, lab.ctl('status')['counters']['poller']['untold']), (0, 1))


def starts_hold(live, end):
    """Polls begin where 2 s and more was silence; from the second on, which is the first in its phase, they keep the interval."""
    delays = []
    for s in live.values():
        asked = list(s.asked)
        begun = [t for before, t in zip([0.0] + asked, asked) if t - before > 2]
        assert end - begun[-1] < INTERVAL * 1.1, f'P2: not asked for {end - begun[-1]:.1f} s'
        delays += [abs(b - a - INTERVAL) for a, b in zip(begun[1:], begun[2:])]
    delays.sort()
    same('P2: enough polls were seen', len(delays) >= 200, True)
    p99 = delays[len(delays) * 99 // 100]
    print(f'delay of {len(delays)} polls: median {delays[len(delays) // 2] * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms')
    same('P2: 99 of 100 polls are late by less than 10 % of their interval', p99 < INTERVAL / 10, True)


def dead_are_pinged(dead, begin, end):
    """Three datagrams of the first poll, then one per interval at most (it is shorter than the contract's 30 s)."""
    for a, s in dead.items():
        asked = list(s.asked)
        assert len(asked) >= 4, (a, len(asked))
        assert all(t2 - t1 > INTERVAL / 2 for t1, t2 in zip(asked[3:], asked[4:])), (a, [round(t - begin, 1) for t in asked])
    print('ok: P8: the dead get one packet each time')


def main():
    rogue = Rogue()
    with Lab(BUILD) as lab:
        engines = another_engine(lab)
        for part in (requests_that_shrink, walks_that_end, rubbish, whose_reply, ids_cannot_be_told, late_and_twice, nudges, restarts, comes_back, many, our_own_trouble):
            t = time.monotonic()
            part(rogue)
            print(f'-- {part.__name__}: {time.monotonic() - t:.1f} s', flush=True)
        another_engine_seen(*engines)
    t = time.monotonic()
    daemon(rogue)
    print(f'-- daemon: {time.monotonic() - t:.1f} s')
    t = time.monotonic()
    too_long_to_tell(rogue)
    print(f'-- too_long_to_tell: {time.monotonic() - t:.1f} s')
    rogue.close()			# fails if a SET, or anything else that is no question, ever came
    print('ok: P9: GET, GETNEXT and GETBULK only')


main()
