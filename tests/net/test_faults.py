#!/usr/bin/env python3
"""A receiver that hangs delays nobody and loses nothing; each role killed is back, and nothing decided is lost (Q1, Q4, H2)."""
import os
import signal
import sys
import time

from lab import Lab, Trapd, same


def main():
    hang = int(os.environ.get('CAMTRAPD_HANG', '30'))
    with Lab(sys.argv[1]) as lab:
        noc, second = Trapd(lab, 'noc'), Trapd(lab, 'second')
        text = lab.campus(switches=12, hosts=5, cameras=0, seed=3, ageing=10)
        lab.configure(text + 'switch_defaults = { poll_interval = "2s"; };\n', [lab.receiver(noc), lab.receiver(second)])
        lab.camtrapd()
        lab.wait(lab.swept, 60, 'no first sweep')

        lab.wait(lambda: noc.events('heartbeat') and second.events('heartbeat'), 20, 'no heartbeat')

        noc.process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        macs = [f'44:19:b6:bb:00:0{i}' for i in (1, 2, 3)]
        for i, m in enumerate(macs):
            lab.do(f'plug acc-00{i + 2} 7 {m} vlan 20')
            time.sleep(1)
        lab.wait(lambda: len(second.events('deviceDetected')) == 3, 15, 'Q4: the second receiver was delayed')
        print('ok: Q4: a hung receiver does not delay another')
        time.sleep(max(0, hang - (time.monotonic() - stopped)))
        same('the hung receiver has nothing yet', noc.events('deviceDetected'), [])
        noc.process.send_signal(signal.SIGCONT)
        lab.wait(lambda: len(noc.events('deviceDetected')) == 3, 90, 'Q1: informs lost')
        same('Q1: all arrive, with their ids', sorted(e['eventId'] for e in noc.events('deviceDetected')),
             sorted(e['eventId'] for e in second.events('deviceDetected')))

        for n, role in enumerate(('poller:0', 'poller:1', 'notify', 'views', 'engine')):
            pid = lab.pid_of(role)
            assert pid, f'no process for {role}'
            mac = f'44:19:b6:cc:00:{n:02x}'
            lab.do(f'plug acc-00{n + 2} {9 + n} {mac} vlan 20')
            os.kill(pid, signal.SIGKILL)
            lab.wait(lambda: lab.pid_of(role) not in (None, pid), 10, f'{role} is not back')
            lab.wait(lambda: mac in [e['deviceMac'] for e in noc.events('deviceDetected')], 40, f'camera lost with {role}')
            lab.wait(lambda: mac in [d['mac'] for d in lab.devices()], 20, f'device not shown after {role}')
            print(f'ok: H2: {role} killed, back, nothing lost')
        every = [e['deviceMac'] for e in noc.events('deviceDetected')]
        same('each camera said once', sorted(every), sorted(set(every)))
        same('both receivers have the same', {e['eventId'] for e in noc.events('deviceDetected')},
             {e['eventId'] for e in second.events('deviceDetected')})


main()
