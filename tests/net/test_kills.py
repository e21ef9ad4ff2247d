#!/usr/bin/env python3
"""Q2: kill -9 of each process at random moments, under a stream of plug-ins, moves and unplugs: no notification is lost, none is
false or of a wrong place, what comes twice is the same twice, sequences are unique within their epoch, and the database is whole (S1).

CAMTRAPD_SEED=N replays the actions and, as far as the clock lets it, who is killed; CAMTRAPD_KILLS=N sets how often. A role that
ends more than five times in a minute is restarted more and more slowly; that is meant, so none is killed more often, and a killed
daemon begins to count anew."""
import collections
import os
import random
import shutil
import signal
import sqlite3
import sys
import time

from act import Actor
from lab import Lab, Trapd
from told import NEVER, Campus, Judge

KILLS = int(os.environ.get('CAMTRAPD_KILLS', '60'))
SEED = int(os.environ.get('CAMTRAPD_SEED', '0')) or random.SystemRandom().randrange(1, 1 << 31)
POLLERS, PER_MINUTE, WINDOW_S, AGEING, PER_ROUND = 4, 4, 62, 10, 30
ROLES = ['engine', 'notify', 'views'] + [f'poller:{i}' for i in range(POLLERS)]
STREAM = {'plug_camera': 30, 'plug_laptop': 5, 'plug_two': 3, 'move_camera': 20, 'unplug_camera': 16, 'plug_again_there': 6,
          'plug_again_elsewhere': 6, 'replug': 4, 'there_and_away': 4}


class Killer:
    def __init__(self, lab, rng):
        self.lab, self.rng = lab, rng
        self.killed, self.took = collections.Counter(), collections.defaultdict(list)
        self.deaths = {}

    def start(self):
        self.lab.camtrapd(plain=True)
        self.deaths = {r: collections.deque() for r in ROLES}
        self.lab.wait(lambda: all(self.lab.pid_of(r) for r in ROLES), 60, 'not all roles run')

    def is_due(self, role, now):
        while self.deaths[role] and now - self.deaths[role][0] > WINDOW_S:
            self.deaths[role].popleft()
        return len(self.deaths[role]) < PER_MINUTE

    def kill(self):
        """The parent one time in ten, and when all the others had their share."""
        fit = [r for r in ROLES if self.is_due(r, time.monotonic())]
        role = self.rng.choices(ROLES, [4, 2, 1] + [1] * POLLERS)[0]
        if self.rng.random() < 0.1 or not fit:
            self.kill_parent()
        else:
            self.kill_role(role if role in fit else fit[0])

    def kill_role(self, role):
        pid, began = self.lab.pid_of(role), time.monotonic()
        if pid is None:			# still being started after the last time
            pid = self.lab.wait(lambda: self.lab.pid_of(role), 30, f'{role} is not back')
        os.kill(pid, signal.SIGKILL)
        self.deaths[role].append(began)
        self.killed[role.partition(':')[0]] += 1
        self.lab.wait(lambda: self.lab.pid_of(role) not in (None, pid), 30, f'{role} is not back')
        self.took[role.partition(':')[0]].append(time.monotonic() - began)

    def kill_parent(self):
        """Its children end when it does; then systemd would start it again."""
        kids, parent, began = self.lab.kids(), self.lab.processes.pop('camtrapd'), time.monotonic()
        parent.kill()
        parent.wait()
        self.killed['parent'] += 1
        self.lab.wait(lambda: not any(os.path.exists(f'/proc/{k}') for k in kids), 30, 'children outlive their parent')
        whole(self.lab)
        self.start()
        self.took['parent'].append(time.monotonic() - began)


def whole(lab):
    """S1, on a copy: what the next start would find."""
    state, copy = os.path.join(lab.dir, 'state'), os.path.join(lab.dir, 'copy')
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(state, copy)
    db = sqlite3.connect(os.path.join(copy, 'camtrapd.db'))
    said = db.execute('PRAGMA integrity_check').fetchall()
    db.close()
    assert said == [('ok',)], f'S1: {said}'
    assert not [n for n in os.listdir(state) if '.corrupt-' in n], f'S3: a database was given up: {os.listdir(state)}'


def sequences(received):
    """Within an epoch one sequence belongs to one event, and an event has one."""
    by_sequence = {}
    for e in received:
        known = by_sequence.setdefault((e['eventEpoch'], e['eventSequence']), e['eventId'])
        assert known == e['eventId'], f'sequence {e["eventSequence"]} was given to {known} and to {e["eventId"]}'
    assert len(set(by_sequence.values())) == len(by_sequence), 'an event has two sequences'
    assert len({epoch for epoch, _ in by_sequence}) == 1, 'the epoch changed, and no state was lost'


def stream(actor, killer, kills):
    done = 0
    actor.alarms.clear()
    while done < kills:
        for _ in range(actor.rng.choice([0, 2, 3, 4])):
            actor.one()
        time.sleep(actor.rng.random() * 0.4)
        killer.kill()
        done += 1


def main():
    print(f'CAMTRAPD_SEED={SEED} CAMTRAPD_KILLS={KILLS}', flush=True)
    with Lab(sys.argv[1]) as lab:
        noc = Trapd(lab, 'noc')
        text = lab.campus(switches=30, tree=15, hosts=20, cameras=10, ports=24, seed=SEED % 1000 + 1, ageing=AGEING, seconds=36000,
                          log=os.path.join(lab.dir, 'actions.log'))
        lab.configure(text + 'switch_defaults = { poll_interval = "1s"; };\n', [lab.receiver(noc)], pollers=POLLERS)
        rng = random.Random(SEED)
        killer = Killer(lab, rng)
        killer.start()
        lab.wait(lab.swept, 60, 'no first sweep')
        campus = Campus(lab, time.monotonic)
        judge = Judge(lab, noc, campus, AGEING, never=[n for n in NEVER if not n.startswith('agent')])
        judge.baseline()
        actor, began = Actor(campus, rng, STREAM), time.monotonic()
        while killer.killed.total() < KILLS:
            stream(actor, killer, min(PER_ROUND, KILLS - killer.killed.total()))
            judge.quiet()
            judge.compare_devices()
            judge.compare_stations()
            sequences(noc.received())
            campus.quiet()
            print(f'{killer.killed.total()} kills, {actor.done.total()} actions, {judge.told.total()} notifications, '
                  f'{time.monotonic() - began:.0f} s', flush=True)
        lab.processes['camtrapd'].terminate()
        assert lab.processes['camtrapd'].wait(20) == 0, 'the daemon does not end well'
        whole(lab)
        judge.listen(noc.received())
        assert not judge.wrong, judge.wrong
        for role, took in killer.took.items():
            print(f'{role}: killed {len(took)} times, back after {sum(took) / len(took):.2f} s, {max(took):.2f} s at most')
        twice = len(noc.received()) - len(judge.once)
        print(f'seed {SEED}: {killer.killed.total()} kills, {actor.done.total()} actions, {time.monotonic() - began:.0f} s, {dict(judge.told)}, '
              f'{twice} of them came twice with the same id and sequence; lost/false/wrong = 0/0/0; integrity_check ok')


main()
