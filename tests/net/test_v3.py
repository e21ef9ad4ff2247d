#!/usr/bin/env python3
"""SNMPv3 authPriv against real peers: a real snmpd polled over IPv4 and IPv6, a wrong secret told as such, two switches that have
one engine ID, false answers before the true ones, an inform that a real snmptrapd acknowledged, and what a reload leaves of secrets."""
import hashlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time

from lab import Lab, Trapd, free_port, same

TWIN_ID = bytes.fromhex('80001f88047477696e')
COMMUNITY = 'a word to be forgotten'
USERS = (('one', 'SHA-256', 'AES-128', 'SHA-256', 'AES'), ('two', 'SHA-512', 'AES-256', 'SHA-512', 'AES-256'))


def twin(lab, name, boots):
    """A real snmpd with the engine ID of its twin, other boots, and a user of the same name with another secret; its port."""
    folder, port = os.path.join(lab.dir, name + '.d'), free_port()
    os.makedirs(folder)
    with open(os.path.join(folder, 'agent.conf'), 'w') as f:
        f.write(f'exactEngineID 0x{TWIN_ID.hex()}\noldEngineID 0x{TWIN_ID.hex()}\nengineBoots {boots}\nrocommunity "{COMMUNITY}"\n'
                'createUser both SHA-256 "one for both" AES\nrouser both priv\n'
                f'createUser twin SHA-256 "auth secret {name}" AES "priv secret {name}"\nrouser twin priv\n')
    lab.start(name, ['snmpd', '-f', '-C', '-c', f.name, '-Lf', os.path.join(folder, 'log'), '-I', '-smux', f'udp:127.0.0.1:{port}'],
              env={'SNMP_PERSISTENT_DIR': folder, 'MIBS': ''})
    return port


def poll_twins(ports):
    """Three polls of each at the same time: all is answered, and nothing twice."""
    p = subprocess.run([os.path.join(sys.argv[1], 'tests', 'net', 'poll_peer'), '-3', '-n', '3', '-c', 'both:one for both',
                        *(f'127.0.0.1:{n}' for n in ports)], capture_output=True, text=True, timeout=120)
    *polls, n = map(json.loads, p.stdout.splitlines())
    same('twins: all polls', [x['state'] for x in polls], ['ok'] * 6)
    same('twins: no question in vain', (n['requests'] - n['replies'], n['timeouts'], n['mismatched']), (0, 0, 0))


class Liar(threading.Thread):
    """Stands before snmpds: before each signed answer come one with a bit turned, one cut short, and the one before it once more. After
    half a second without questions it stands before the next snmpd."""

    def __init__(self, ports):
        super().__init__()
        self.front, self.back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.front.bind(('127.0.0.1', 0))
        self.port, self.ports, self.said, self.ended = self.front.getsockname()[1], list(ports), {'mismatched': 0, 'malformed': 0, 'strays': 0}, False
        self.start()

    def run(self):
        whom, last, before = None, time.monotonic(), None
        while not self.ended:
            for s in select.select([self.front, self.back], [], [], 0.05)[0]:
                data, at = s.recvfrom(65535)
                if s is self.front:
                    if time.monotonic() - last > 0.5 and whom is not None:
                        self.ports.pop(0)
                    whom, last = at, time.monotonic()
                    self.back.sendto(data, ('127.0.0.1', self.ports[0]))
                    continue
                if re.search(rb'\x04\x01(.)\x02\x01\x03', data, re.S).group(1)[0] & 1:	# msgFlags, msgSecurityModel
                    self.lie('mismatched', data[:-1] + bytes([data[-1] ^ 1]), whom)
                    self.lie('malformed', data[:-1], whom)
                    if before is not None:
                        self.lie('strays', before, whom)
                    before = data
                self.front.sendto(data, whom)

    def lie(self, what, data, whom):
        self.said[what] += 1
        self.front.sendto(data, whom)

    def end(self):
        self.ended = True
        self.join()


def poll_through_lies(ports):
    """A poll of one twin, then of the other behind the same address: of later boots, so that the first question is
    not in its time."""
    liar = Liar(ports)
    try:
        p = subprocess.run([os.path.join(sys.argv[1], 'tests', 'net', 'poll_peer'), '-3', '-n', '2', '-w', '1500', '-c', 'both:one for both',
                            f'127.0.0.1:{liar.port}'], capture_output=True, text=True, timeout=120)
    finally:
        liar.end()
    *polls, n = map(json.loads, p.stdout.splitlines())
    same('P3: v3: all is answered, whatever false comes before', [x['state'] for x in polls], ['ok', 'ok'])
    same('P3: v3: nothing of it counts as an answer', (n['requests'] - n['replies'], n['timeouts']), (0, 0))
    same('P3: v3: each is counted as what it was', {k: n[k] for k in liar.said}, liar.said)
    same('one question more to find the engine, one to learn its new time', (polls[1]['requests'] - polls[0]['requests'], len(liar.ports)), (0, 1))


def without_memory(port):
    """poll_peer -o: lets each allocation of a poll by v3 fail once, but those of the keys, which it makes once for all its polls."""
    p = subprocess.run([os.path.join(sys.argv[1], 'tests', 'net', 'poll_peer'), '-3', '-o', '-c', 'both:one for both', f'127.0.0.1:{port}'],
                       capture_output=True, text=True, timeout=120)
    same('out of memory: no abort, no leak', (p.returncode, p.stderr), (0, ''))
    told, n = map(json.loads, p.stdout.splitlines())
    same('nothing told of the switch that is not so, and nothing asked in vain', (told['wrong'], n['timeouts'], n['mismatched']), (0, 0, 0))
    same('and every kind of end was there', (told['allocations'] > 40, told['dropped'] > 3, told['incomplete'] > 30), (True, True, True))


def keys(secret):
    """The password, made a key, and localised for the twins (RFC 3414 appendix A.2, RFC 7860 section 9.3)."""
    ku = hashlib.sha256((secret * (2 ** 20 // len(secret) + 1))[:2 ** 20].encode()).digest()
    return {f'{secret!r}': secret.encode(), f'key of {secret!r}': ku, f'localised key of {secret!r}': hashlib.sha256(ku + TWIN_ID + ku).digest()}


def in_memory(pid, wanted):
    """Which of `wanted` stand anywhere in what a process can write to."""
    found = set()
    with open(f'/proc/{pid}/maps') as maps, open(f'/proc/{pid}/mem', 'rb', 0) as mem:
        for line in maps:
            low, high = (int(x, 16) for x in line.split()[0].split('-'))
            if 'rw' not in line.split()[1] or high - low > 1 << 30:		# more than that is only a sanitizer's book-keeping
                continue
            try:
                octets = os.pread(mem.fileno(), high - low, low)
            except OSError:
                continue
            found |= {name for name, value in wanted.items() if value in octets}
    return sorted(found)


def forgotten_by_a_reload(lab, configure):
    """C4: of credentials that are taken away nothing is left; what stays is still known, and was not asked for anew."""
    if os.geteuid() != 0:
        print('-- C4: only root sees the memory of another process')
        return
    gone, stays = {'community': COMMUNITY.encode()}, keys('auth secret twin-a')
    for kind in ('auth', 'priv'):
        gone |= keys(f'{kind} secret twin-b')
    wait = {**gone, **stays}
    pid = lab.pid_of('poller:0')
    lab.wait(lambda: in_memory(pid, wait) == sorted(wait), 10, 'secrets in use are not found where they have to be')
    count = lab.log_text().count('reloaded: ')
    configure(('plain', 'twin-b'))
    lab.processes['camtrapd'].send_signal(signal.SIGHUP)
    lab.wait(lambda: lab.log_text().count('reloaded: ') > count, 20, 'no reload')
    time.sleep(1)
    same('C4: secrets that a reload took away', in_memory(pid, gone), [])
    same('and those that stay', in_memory(pid, stays), sorted(stays))
    states = {s['name']: s['state'] for s in lab.ctl('switches')['switches']}
    same('which are of use', (states['twin-a'], 'twin-b' in states), ('ok', False))


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
        credentials = {n: f'version = "3"; user = "{n}"; auth = "{a}"; auth_secret = "auth secret {n}"; '
                          f'priv = "{p}"; priv_secret = "priv secret {n}";' for n, a, p, _, _ in USERS}
        twins = {n: twin(lab, n, boots) for n, boots in (('twin-a', 1), ('twin-b', 40))}
        credentials |= {n: f'version = "3"; user = "twin"; auth = "SHA-256"; auth_secret = "auth secret {n}"; '
                           f'priv = "AES-128"; priv_secret = "priv secret {n}";' for n in twins}
        credentials['three'] = ('version = "3"; user = "three"; auth = "SHA-256"; auth_secret = "auth secret three"; '
                                'priv = "AES-128"; priv_secret = "priv secret three";')
        credentials['wrong'] = ('version = "3"; user = "one"; auth = "SHA-256"; auth_secret = "not the secret"; '
                                'priv = "AES-128"; priv_secret = "not the secret";')
        credentials['plain'] = f'version = "2c"; community = "{COMMUNITY}";'
        switches = {f'{n}-{f}': (f'{a}:{port}', n) for n in ('one', 'two') for f, a in (('v4', '127.0.0.1'), ('v6', '[::1]'))}
        switches['wrong'] = (f'127.0.0.1:{port}', 'wrong')
        switches |= {n: (f'127.0.0.1:{p}', n) for n, p in twins.items()}
        switches['plain'] = (f'127.0.0.1:{twins["twin-a"]}', 'plain')

        def configure(without=()):
            lab.configure('sites = ( { name = "hq"; sensitivity = "sensitive"; } );\ncredentials = (' +
                          ',\n'.join(f'{{ name = "{n}"; {c} }}' for n, c in credentials.items() if n not in without) +
                          ' );\nswitch_defaults = { poll_interval = "5s"; };\nswitches = (' +
                          ',\n'.join(f'{{ name = "{n}"; address = "{a}"; site = "hq"; credential = "{c}"; }}'
                                     for n, (a, c) in switches.items() if n not in without) + ' );\n',
                          [lab.receiver(trapd, 'three')], pollers=1)

        configure()
        lab.camtrapd()
        lab.wait(lab.swept, 60, 'no first sweep')
        states = {s['name']: s['state'] for s in lab.ctl('switches')['switches']}
        same('states', states, {'one-v4': 'ok', 'one-v6': 'ok', 'two-v4': 'ok', 'two-v6': 'ok', 'wrong': 'auth-failed',
                                'twin-a': 'ok', 'twin-b': 'ok', 'plain': 'ok'})
        same('C5: credentials', [(c['name'], c['weak'], c['switches']) for c in lab.ctl('status')['credentials']],
             [('one', False, 2), ('two', False, 2), ('twin-a', False, 1), ('twin-b', False, 1), ('three', False, 0), ('wrong', False, 0),
              ('plain', True, 1)])
        poll_twins(twins.values())
        poll_through_lies(twins.values())
        without_memory(twins['twin-a'])
        answer = lab.ctl('test', 'noc')
        same('the v3 inform', answer['result'], 'acknowledged')
        same('received by snmptrapd', answer['eventId'] in [e['eventId'] for e in trapd.events('heartbeat')], True)
        forgotten_by_a_reload(lab, configure)
        text = lab.log_text()
        same('the library writes nothing into the log by itself', 'Authentication failed' in text, False)
        assert 'secret' not in text, 'C4: a secret stands in the log'


main()
