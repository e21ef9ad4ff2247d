#!/usr/bin/env python3
"""The emulated campus itself, asked by Net-SNMP's tools: what the other tests stand on does what it is told."""
import os
import re
import socket
import subprocess
import sys

from lab import Lab, SHARED, free_port, same, skip

SECRET, KEY = 'campus-auth-secret', 'campus-priv-secret'
DESCR, UPTIME, IF_NAME = '1.3.6.1.2.1.1.1.0', '1.3.6.1.2.1.1.3.0', '1.3.6.1.2.1.31.1.1.1.1'
V3 = ('-v3', '-l', 'authPriv', '-u', 'monitor', '-a', 'SHA-256', '-x', 'AES', '-X', KEY)


def ask(lab, n, oid, *how, tool='snmpget'):
    """What switch number `n` says; None: nothing in a second."""
    p = subprocess.run([tool, '-r', '0', '-t', '1', '-Onq', '-m', '', *(how or ('-v2c', '-c', 'public')), f'127.10.0.{n}:{lab.campus_port}', oid],
                       capture_output=True, text=True)
    return p.stdout.strip() if p.returncode == 0 else None


def signals(lab, trapd, syslog):
    def said():
        return open(trapd, errors='replace').read()
    lab.do('plug acc-001 5 44:19:b6:00:00:01')
    line = syslog.recv(2048).decode()
    same('syslog of a link that came up', bool(re.search(r'1/0/5\b.*(to up|UP|on-line)', line)), True)
    lab.wait(lambda: '.1.3.6.1.6.3.1.1.5.4' in said() and '.1.3.6.1.2.1.2.2.1.1.10105' in said(), 10, 'no linkUp trap of ifIndex 10105')
    lab.do('unplug 44:19:b6:00:00:01')
    same('and of one that went down', bool(re.search(r'1/0/5\b.*(to down|DOWN|off-line)', syslog.recv(2048).decode())), True)
    lab.wait(lambda: '.1.3.6.1.6.3.1.1.5.3' in said(), 10, 'no linkDown trap')


def troubles(lab):
    whole = ask(lab, 3, DESCR)
    assert whole, 'acc-001 does not answer'
    for trouble, relief in (('truncate acc-001 40', 'truncate acc-001 0'), ('loss acc-001 100', 'loss acc-001 0'),
                            ('kill acc-001', 'revive acc-001'), ('delay acc-001 1500', 'delay acc-001 0')):
        lab.do(trouble)
        got = ask(lab, 3, DESCR)
        lab.do(relief)
        same(trouble, (got, ask(lab, 3, DESCR)), (None, whole))
    lab.do('mute acc-001 1.3.6.1.2.1.31')
    same('mute: of one table only', (ask(lab, 3, IF_NAME + '.10105'), ask(lab, 3, DESCR)), (None, whole))
    lab.do('mute acc-001 -')
    before = int(ask(lab, 3, UPTIME, '-v2c', '-c', 'public', '-Ot').split()[-1])
    lab.do('reboot acc-001')
    same('reboot: the uptime, and who has the number of Gi1/0/5', (int(ask(lab, 3, UPTIME, '-v2c', '-c', 'public', '-Ot').split()[-1]) < before,
                                                                    'Gi1/0/4' in ask(lab, 3, IF_NAME + '.10105')), (True, True))


def recording(lab, path):
    first = next(x for x in open(path, errors='replace') if x.startswith(DESCR + '|'))
    text = first.rstrip('\n').split('|', 2)[2]
    got = ask(lab, 4, DESCR)
    same('a recording is played', text[:20] in got, True)


def main():
    path = os.path.join(SHARED, 'recordings', 'procurve.snmprec')
    if not os.path.exists(path):
        skip('no ../shared/recordings')
    with Lab(sys.argv[1]) as lab, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(('127.0.0.1', 0))
        syslog.settimeout(10)
        port, log = free_port(), os.path.join(lab.dir, 'traps.log')
        conf = os.path.join(lab.dir, 'trapd.conf')
        with open(conf, 'w') as f:
            f.write('disableAuthorization yes\n')
        lab.start('trapd', ['snmptrapd', '-f', '-C', '-c', conf, '-m', '', '-On', '-Lf', log, f'udp:127.0.0.1:{port}'],
                  env={'SNMP_PERSISTENT_DIR': lab.dir, 'MIBS': ''})
        lab.wait(lambda: os.path.exists(log) and 'NET-SNMP' in open(log).read(), 10, 'snmptrapd does not start')
        lab.campus('--v3-user', 'monitor', '--traps', f'127.0.0.1:{port}', '--syslog', f'127.0.0.1:{syslog.getsockname()[1]}',
                   '--play', f'acc-002={path}', switches=4, hosts=3, cameras=0)
        same('v3: the right password', ask(lab, 3, DESCR, *V3, '-A', SECRET) is not None, True)
        same('v3: a wrong one', ask(lab, 3, DESCR, *V3, '-A', 'not the secret'), None)
        same('v2c: another community', ask(lab, 3, DESCR, '-v2c', '-c', 'other'), None)
        signals(lab, log, syslog)
        troubles(lab)
        recording(lab, path)


main()
