#!/usr/bin/env python3
"""What happens on a campus of 200 switches and 10,000 stations equals what is told of it: random actions in rounds, and at the quiet
point after each round every notification, every device and every station's place is held against the truth (told.py).

CAMTRAPD_SEED=N replays a sequence, CAMTRAPD_ACTIONS=N sets how many there are, CAMTRAPD_TRUTH_SANITIZED=1 takes the daemon with the
sanitizers: it needs about 20 s for a sweep of this campus, so polls are then as far apart. Without it, it is the one that users run."""
import collections
import copy
import os
import random
import sys
import time

from act import Actor
from lab import Lab, Trapd
from told import ABOUT_DEVICES, Campus, Judge

ACTIONS = int(os.environ.get('CAMTRAPD_ACTIONS', '2000'))
SEED = int(os.environ.get('CAMTRAPD_SEED', '0')) or random.SystemRandom().randrange(1, 1 << 31)
SANITIZED = os.environ.get('CAMTRAPD_TRUTH_SANITIZED') == '1'
ROUND, INTERVAL, AGEING = 150, 20 if SANITIZED else 3, 30 if SANITIZED else 10	# 10 is the least that RFC 4188 allows


def copies(devices):
    """Enough of a copy to hear notifications once more: what is told of a device is replaced, never changed."""
    out = {m: copy.copy(d) for m, d in devices.items() if d.restricted}
    for d in out.values():
        d.last_told = []
    return out


def self_check(judge, before, events):
    """The comparison has to fail when one notification is lost, or names another port, or comes from nowhere. `before`: the devices
    with all that was done to them and nothing yet told of it. What was told between two places of one device may be lost by right:
    it may have been at the first one for too short a time. The last of each may not."""
    def fails(events):
        other = copy.copy(judge)
        other.campus, other.heard, other.once, other.wrong = copy.copy(judge.campus), 0, {}, []
        other.told, other.switch_told = collections.Counter(), collections.defaultdict(list)
        other.campus.devices = copies(before)
        other.listen(events)
        return bool(other.wrong or other.devices_owed())

    last = {e['deviceMac']: i for i, e in enumerate(events) if e['type'] in ABOUT_DEVICES and e['type'] != 'deviceChanged'}
    assert last and not fails(events), 'the comparison fails with what was received'
    for i in last.values():
        wrong_port = dict(events[i], portName='Gi1/0/3' if events[i]['portName'] != 'Gi1/0/3' else 'Gi1/0/4')
        assert fails(events[:i] + events[i + 1:]), f'a lost notification is not noticed: {events[i]}'
        assert fails(events[:i] + [wrong_port] + events[i + 1:]), f'a wrong port is not noticed: {events[i]}'
        assert fails(events + [dict(events[i], eventId='x', eventSequence=1 << 31)]), f'a false one is not noticed: {events[i]}'
    print(f'ok: self-check: each of {len(last)} notifications was left out, misplaced and repeated as another, and noticed')


def main():
    print(f'CAMTRAPD_SEED={SEED} CAMTRAPD_ACTIONS={ACTIONS}', flush=True)
    with Lab(sys.argv[1]) as lab:
        noc = Trapd(lab, 'noc')
        text = lab.campus(switches=200, tree=50, hosts=56, cameras=60, ports=48, seed=SEED % 1000 + 1, ageing=AGEING, seconds=36000,
                          lag=20, cdp=20, log=os.path.join(lab.dir, 'actions.log'))
        lab.configure(text + f'switch_defaults = {{ poll_interval = "{INTERVAL}s"; }};\n', [lab.receiver(noc)])
        lab.camtrapd(plain=not SANITIZED)
        lab.wait(lab.swept, 200, 'no first sweep')
        campus = Campus(lab, time.monotonic)
        judge, actor = Judge(lab, noc, campus, AGEING, quiet_s=600 if SANITIZED else 120), Actor(campus, random.Random(SEED))
        judge.baseline()
        began, rounds = time.monotonic(), 0
        while actor.done.total() < ACTIONS:
            before = judge.heard
            actor.round(min(ROUND, ACTIONS - actor.done.total()))
            campus.aged = rounds % 2 == 0 or actor.done.total() >= ACTIONS
            untold = copies(campus.devices)
            judge.quiet()
            judge.compare_devices()
            if rounds % 4 == 3 or actor.done.total() >= ACTIONS:
                judge.compare_stations()
            if rounds == 0:
                self_check(judge, untold, noc.received()[before:])
            campus.quiet()
            rounds += 1
            print(f'round {rounds}: {actor.done.total()} actions, {judge.told.total()} notifications, '
                  f'{time.monotonic() - began:.0f} s', flush=True)
        judge.quiet()		# and nothing more comes
        wall = time.monotonic() - began
        reports = lab.ctl('status')['counters']['reports']
        print(f'{dict(actor.done)}\n{dict(judge.told)}')
        print(f'seed {SEED}: {actor.done.total()} actions in {rounds} rounds and {wall:.0f} s, {len(lab.truth())} stations, places of stations '
              f'compared {judge.stations}, {judge.told.total()} notifications; missed/false/wrong = 0/0/0; '
              f'{reports / len(campus.switches) * 300 / 3600:.1f} simulated hours (polls of each switch x 300 s)')


main()
