#!/usr/bin/env python3
"""P6: a switch that restarts in the middle of a poll numbers its ports anew (each has the number of its neighbour before): no camera on
it is said to have moved, and each is on its port when the switch was read again."""
import json
import os
import random
import subprocess
import sys
import time

from lab import Lab, Trapd, same

ROUNDS = int(os.environ.get('CAMTRAPD_ROUNDS', '8'))
SEED = int(os.environ.get('CAMTRAPD_SEED', '6'))


def ports_of(lab):
    return {d['mac']: (d['location']['switch'], d['location']['port'], d['location']['ifIndex']) for d in lab.devices()}


def truth_of(lab):
    return {m: (t['switch'], t['port'], t['ifIndex']) for m, t in lab.truth().items() if t['restricted']}


def read_since(lab, name, wall):
    """The switch was read to the end by a poll that began after this; times are cut to the second to be on the safe side."""
    s = lab.ctl('switches', name)['switches'][0]
    return s['state'] == 'ok' and s['lastComplete'] and s['lastComplete'] > time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(wall + 2))


def questions(lab):
    return json.loads(lab.do('counters')[0])['requests']


def main():
    draw = random.Random(SEED)
    with Lab(sys.argv[1]) as lab:
        noc = Trapd(lab, 'noc')
        text = lab.campus(switches=4, hosts=8, cameras=0, seed=5, ageing=300)
        lab.configure(text + 'switch_defaults = { poll_interval = "4s"; };\n', [lab.receiver(noc)])
        lab.camtrapd()
        lab.wait(lab.swept, 60, 'no first sweep')
        for port in range(1, 4):
            lab.do(f'plug acc-001 {port} 44:19:b6:00:77:0{port} vlan 20')
        lab.wait(lambda: ports_of(lab) == truth_of(lab) and len(noc.events('deviceDetected')) == 3, 40, 'the cameras are not found')
        lab.do('delay acc-001 30')		# some fifty questions: a poll takes one and a half seconds
        for n in range(ROUNDS):
            ordered = subprocess.Popen([lab.tool('camtrapctl'), '-c', lab.conf, 'poll', 'acc-001'], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            asked = questions(lab)
            lab.wait(lambda: questions(lab) > asked + 3, 30, 'the poll that was ordered does not begin')
            time.sleep(draw.uniform(0, 1.2))
            lab.do('reboot acc-001')
            rebooted = time.time()
            ordered.wait(70)
            lab.wait(lambda: read_since(lab, 'acc-001', rebooted), 60, 'the switch is not read again')
            lab.wait(lambda: ports_of(lab) == truth_of(lab), 20, f'restart {n}: not on their ports')
        same(f'P6: {ROUNDS} restarts at any moment of a poll moved nobody', [e for e in noc.events() if e['type'] in ('deviceMoved', 'deviceGone')], [])
        said = lab.log_text().count('has restarted')
        print(f'{said} of them were noticed in the middle of a poll')
        assert said >= ROUNDS // 4, 'hardly a poll was caught in the middle: the test has tested nothing'


main()
