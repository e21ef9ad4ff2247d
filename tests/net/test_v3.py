#!/usr/bin/env python3
"""SNMPv3 authPriv against real peers: a real snmpd polled over IPv4 and IPv6, a wrong secret told as such, two switches that have
one engine ID, false answers before the true ones, Reports that nobody signed, an inform that a real snmptrapd acknowledged, and what a reload leaves of secrets."""
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

import rogue
from lab import Lab, Trapd, free_port, same
from rogue import integer, tlv

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


class Between(threading.Thread):
    """Stands before an snmpd, and passes on what goes there and comes back."""

    def __init__(self, port):
        super().__init__()
        self.front, self.back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.front.bind(('127.0.0.1', 0))
        self.port, self.whom, self.ended = self.front.getsockname()[1], None, False
        self.to = port
        self.start()

    def run(self):
        while not self.ended:
            for s in select.select([self.front, self.back], [], [], 0.05)[0]:
                data, at = s.recvfrom(65535)
                if s is self.back:
                    self.answer(data)
                else:
                    self.whom = at
                    self.question(data)

    def question(self, data):
        self.back.sendto(data, ('127.0.0.1', self.to))

    def answer(self, data):
        self.front.sendto(data, self.whom)

    def end(self):
        self.ended = True
        self.join()


def poll_peer(between, *options, timeout=120):
    """What poll_peer polled through `between`: the polls, the counters, and what it wrote into its log."""
    try:
        p = subprocess.run([os.path.join(sys.argv[1], 'tests', 'net', 'poll_peer'), '-3', *options, f'127.0.0.1:{between.port}'],
                           capture_output=True, text=True, timeout=timeout)
    finally:
        between.end()
    *polls, n = map(json.loads, p.stdout.splitlines())
    return polls, n, p.stderr


def is_signed(message):
    return re.search(rb'\x04\x01(.)\x02\x01\x03', message, re.S).group(1)[0] & 1 != 0	# msgFlags, msgSecurityModel


class Liar(Between):
    """Before each signed answer come one with a bit turned, one cut short, and the one before it once more. After half a second
    without questions it stands before the next snmpd."""

    def __init__(self, ports):
        self.ports, self.said, self.last, self.before = list(ports), {'mismatched': 0, 'malformed': 0, 'strays': 0}, None, None
        super().__init__(self.ports[0])

    def question(self, data):
        if self.last is not None and time.monotonic() - self.last > 0.5:
            self.ports.pop(0)
            self.to = self.ports[0]
        self.last = time.monotonic()
        super().question(data)

    def answer(self, data):
        if is_signed(data):
            self.lie('mismatched', data[:-1] + bytes([data[-1] ^ 1]))
            self.lie('malformed', data[:-1])
            if self.before is not None:
                self.lie('strays', self.before)
            self.before = data
        super().answer(data)

    def lie(self, what, data):
        self.said[what] += 1
        self.front.sendto(data, self.whom)


def poll_through_lies(ports):
    """A poll of one twin, then of the other behind the same address: of later boots, so that the first question is
    not in its time."""
    liar = Liar(ports)
    polls, n, _ = poll_peer(liar, '-n', '2', '-w', '1500', '-c', 'both:one for both')
    same('P3: v3: all is answered, whatever false comes before', [x['state'] for x in polls], ['ok', 'ok'])
    same('P3: v3: nothing of it counts as an answer', (n['requests'] - n['replies'], n['timeouts']), (0, 0))
    same('P3: v3: each is counted as what it was', {k: n[k] for k in liar.said}, liar.said)
    same('one question more to find the engine, one to learn its new time', (polls[1]['requests'] - polls[0]['requests'], len(liar.ports)), (0, 1))


LEVELS, LATE, USERS_UNKNOWN, ENGINES_UNKNOWN, DIGESTS, DECRYPTION = range(1, 7)	# usmStats


def report(question, stat, engine=None):
    """As anybody can write it who saw the question: a Report without a signature."""
    (_, message), = rogue.read_all(question)
    _, (_, header), (_, security), _ = rogue.read_all(message)
    (_, msg_id), *_ = rogue.read_all(header)
    (_, security), = rogue.read_all(security)
    (_, its_engine), _, _, (_, user), *_ = rogue.read_all(security)
    engine = tlv(4, its_engine if engine is None else engine)
    varbind = tlv(0x30, rogue.oid((1, 3, 6, 1, 6, 3, 15, 1, 1, stat, 0)) + integer(7, 0x41))
    pdu = tlv(0xa8, integer(0) * 3 + tlv(0x30, varbind))
    return tlv(0x30, integer(3) + tlv(0x30, tlv(2, msg_id) + integer(65507) + tlv(4, b'\0') + integer(3)) +
               tlv(4, tlv(0x30, engine + integer(0) * 2 + tlv(4, user) + tlv(4, b'') * 2)) + tlv(0x30, engine + tlv(4, b'') + pdu))


class Denier(Between):
    """Before the answer to each question comes a Report that denies it; to one of discovery it names no engine."""

    def __init__(self, port, stat, passes=True):
        self.stat, self.passes, self.said = stat, passes, 0
        super().__init__(port)

    def question(self, data):
        if self.stat != 0:
            self.said += 1
            self.front.sendto(report(data, self.stat, None if is_signed(data) else b''), self.whom)
        if self.passes or not is_signed(data):
            super().question(data)


def reports_of_anybody(port):
    """What nobody has signed ends no question that was signed: the answer counts, if one comes."""
    for stat in (LEVELS, LATE, USERS_UNKNOWN, ENGINES_UNKNOWN, DIGESTS, DECRYPTION, 99):
        denier = Denier(port, stat)
        (p,), n, _ = poll_peer(denier, '-c', 'both:one for both')
        same(f'P3: v3: {stat}: unsigned Reports end no poll', (p['state'], n['timeouts']), ('ok', 0))
        if stat not in (LATE, ENGINES_UNKNOWN):		# which have the engine looked for anew, once
            same(f'P3: v3: {stat}: each is counted', (n['mismatched'], n['requests'] - n['replies']), (denier.said, 0))
    (p,), n, _ = poll_peer(Denier(port, DIGESTS, False), '-c', 'both:one for both')
    same('P3: v3: without an answer they are believed', (p['state'], 'wrong digest' in p['error'], p['requests']), ('auth-failed', True, 3))


class Muffler(Between):
    """Passes on no v3 as long as it is told so."""
    mute = False

    def question(self, data):
        (_, message), = rogue.read_all(data)
        if not self.mute or next(rogue.read_all(message)) != (2, b'\3'):
            super().question(data)


def no_way_down(port):
    """A switch for which v3 has worked is not polled with v2c because somebody denies or drops v3; after three polls, when it counts as
    unreachable, it is, and that is told; v3 is taken up again as soon as it works."""
    both = ('-c', 'both:one for both', '-c', COMMUNITY)
    (p,), _, _ = poll_peer(Denier(port, DIGESTS), *both)
    same('v3 denied by somebody: v3 all the same', (p['state'], p['credential']), ('ok', 'test0'))

    muffler = Muffler(port)
    p = subprocess.Popen([os.path.join(sys.argv[1], 'tests', 'net', 'poll_peer'), '-3', '-n', '7', '-w', '400', *both, f'127.0.0.1:{muffler.port}'],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        polls = []
        for i, mute in enumerate((True, True, True, True, True, False, False)):
            polls.append(json.loads(p.stdout.readline()))
            muffler.mute = mute
        _, err = p.communicate(timeout=60)
    finally:
        p.kill()
        muffler.end()
    same('v3 dropped by somebody', [(x['state'], x['credential']) for x in polls],
         [('ok', 'test0'), *[('unreachable', '')] * 3, ('ok', 'test1'), ('ok', 'test1'), ('ok', 'test0')])
    same('one more question for it while another works', polls[5]['timeouts'], 1)
    same('the change is told, once in each direction', [x.partition('poll_peer: ')[2].strip() for x in err.splitlines() if 'credential' in x], [
        'warning: test0: credential test0 has not worked for 4 polls, only test1 does, whose answers can be forged: polled with that until test0 works again',
        'test0: polled with credential test0 again'])


def wrong_credentials(port):
    """Who has them wrong is told so soon, and what is wrong."""
    for what, reason in (('both:not the secret', 'wrong digest'), ('nobody:one for both', 'unknown user')):
        for i in range(2):		# to see how long it takes, when the machine is not busy with something else
            (p,), n, _ = poll_peer(Between(port), '-c', what)
            if p['ms'] < 2000:
                break
        same(f'{what}: told', (p['state'], reason in p['error'], p['requests'], n['timeouts']), ('auth-failed', True, 3, 0))
        same(f'{what}: soon', p['ms'] < 2000, True)
    (p,), n, _ = poll_peer(Between(port), '-p', '-c', 'both:not the secret')
    same('a refusal answers a ping', (p['state'], p['requests']), ('ok', 2))


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
        reports_of_anybody(twins['twin-a'])
        no_way_down(twins['twin-a'])
        wrong_credentials(twins['twin-a'])
        without_memory(twins['twin-a'])
        answer = lab.ctl('test', 'noc')
        same('the v3 inform', answer['result'], 'acknowledged')
        same('received by snmptrapd', answer['eventId'] in [e['eventId'] for e in trapd.events('heartbeat')], True)
        forgotten_by_a_reload(lab, configure)
        text = lab.log_text()
        same('the library writes nothing into the log by itself', 'Authentication failed' in text, False)
        assert 'secret' not in text, 'C4: a secret stands in the log'


main()
