#!/usr/bin/env python3
"""SNMPv3 authPriv against real peers: a real snmpd polled over IPv4 and IPv6, a wrong secret told as such, and an inform that a
real snmptrapd acknowledged."""
import os
import sys

from lab import Lab, Trapd, free_port, same

USERS = (('one', 'SHA-256', 'AES-128', 'SHA-256', 'AES'), ('two', 'SHA-512', 'AES-256', 'SHA-512', 'AES-256'))


def main():
    with Lab(sys.argv[1]) as lab:
        port = free_port()
        folder = os.path.join(lab.dir, 'snmpd.d')
        os.makedirs(folder)
        with open(os.path.join(folder, 'snmpd.conf'), 'w') as f:
            f.write('sysName real-agent\nrocommunity none 127.0.0.9\n')
            for name, _, _, auth, priv in USERS:
                f.write(f'createUser {name} {auth} "auth secret {name}" {priv} "priv secret {name}"\nrouser {name} priv\n')
        lab.start('snmpd', ['snmpd', '-f', '-C', '-c', f.name, '-Lf', os.path.join(folder, 'log'), '-I', '-smux',
                            f'udp:127.0.0.1:{port}', f'udp6:[::1]:{port}'], env={'SNMP_PERSISTENT_DIR': folder, 'MIBS': ''})
        trapd = Trapd(lab, 'noc', conf='createUser three SHA-256 "auth secret three" AES "priv secret three"\n'
                                       'authUser log three priv\n')
        credentials = [f'{{ name = "{n}"; version = "3"; user = "{n}"; auth = "{a}"; auth_secret = "auth secret {n}"; '
                       f'priv = "{p}"; priv_secret = "priv secret {n}"; }}' for n, a, p, _, _ in USERS]
        credentials += ['{ name = "three"; version = "3"; user = "three"; auth = "SHA-256"; auth_secret = "auth secret three"; '
                        'priv = "AES-128"; priv_secret = "priv secret three"; }',
                        '{ name = "wrong"; version = "3"; user = "one"; auth = "SHA-256"; auth_secret = "not the secret"; '
                        'priv = "AES-128"; priv_secret = "not the secret"; }']
        switches = [f'{{ name = "{n}-{f}"; address = "{a}:{port}"; site = "hq"; credential = "{n}"; }}'
                    for n in ('one', 'two') for f, a in (('v4', '127.0.0.1'), ('v6', '[::1]'))]
        switches.append(f'{{ name = "wrong"; address = "127.0.0.1:{port}"; site = "hq"; credential = "wrong"; }}')
        lab.configure('sites = ( { name = "hq"; sensitivity = "sensitive"; } );\ncredentials = (' + ',\n'.join(credentials) +
                      ' );\nswitch_defaults = { poll_interval = "5s"; };\nswitches = (' + ',\n'.join(switches) + ' );\n',
                      [lab.receiver(trapd, 'three')], pollers=1)
        lab.camtrapd()
        lab.wait(lab.swept, 60, 'no first sweep')
        states = {s['name']: s['state'] for s in lab.ctl('switches')['switches']}
        same('states', states, {'one-v4': 'ok', 'one-v6': 'ok', 'two-v4': 'ok', 'two-v6': 'ok', 'wrong': 'auth-failed'})
        answer = lab.ctl('test', 'noc')
        same('the v3 inform', answer['result'], 'acknowledged')
        same('received by snmptrapd', answer['eventId'] in [e['eventId'] for e in trapd.events('heartbeat')], True)
        text = lab.log_text()
        assert 'secret' not in text, 'C4: a secret stands in the log'


main()
