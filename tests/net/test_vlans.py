#!/usr/bin/env python3
"""Switches that show the forwarding table of each VLAN in a context of its own: what is read, what a VLAN that does not answer
costs, and that nothing is taken as gone for it. The agent is rogue.py; poll_peer polls with the poller's own code; then the daemon
over SNMPv3, with snmpd between them that turns its contexts into communities."""
import json
import os
import subprocess
import sys
import time

from lab import Lab, Trapd, free_port, same
from rogue import Rogue, Switch, integer, mac_of, tables

DOT1D, BASE_PORT = (1, 3, 6, 1, 2, 1, 17, 4, 3, 1), (1, 3, 6, 1, 2, 1, 17, 1, 4, 1, 2)
VTP = (1, 3, 6, 1, 4, 1, 9, 9, 46, 1, 3, 1, 1)
ALL, FDB_BIT = 63, 4			# every kind of row is complete; the forwarding table
BUILD, PEER = sys.argv[1], sys.argv[2]


def stations(places):
    """dot1dTpFdbTable: station -> bridge port"""
    t = {}
    for n, port in places.items():
        t[DOT1D + (2,) + mac_of(n)] = integer(port)
        t[DOT1D + (3,) + mac_of(n)] = integer(3)
    return t


def vtp(vlans):
    return {VTP + (column, 1, v): integer(1) for column in (2, 3) for v in vlans}


class Context(Switch):
    """The bridge ports of VLAN v are the interfaces behind 100 + `shift`."""

    def __init__(self, vlan, places, shift=0):
        super().__init__({**stations(places), **{BASE_PORT + (p,): integer(100 + p + shift) for p in (1, 2)}}, b'c@%d' % vlan)


class Catalyst(Switch):
    """Answers in its default context and in `contexts` (VLAN -> Context), and is silent in all others."""

    def __init__(self, vlans, contexts=(), default=None, delay=0.0, ageing=300):
        super().__init__(tables(macs=(), ageing=ageing, extra={**stations(default or {}), **vtp(vlans)}))
        self.contexts, self.delay, self.vlans = dict(contexts), delay, []

    def answer(self, q):
        name, _, vlan = q.community.partition(b'@')
        if not vlan:
            return super().answer(q)
        self.vlans.append(int(vlan))
        c = self.contexts.get(int(vlan))
        return [(self.delay, c.answer(q), None, False)] if c else []


class Everywhere(Catalyst):
    """Has every VLAN, empty."""

    def answer(self, q):
        _, _, vlan = q.community.partition(b'@')
        if vlan:
            self.contexts = {int(vlan): Context(int(vlan), {})}
        return super().answer(q)


def place(n, if_index, vlan):
    return '%s %u %u' % (':'.join('%02x' % b for b in mac_of(n)), if_index, vlan)


def polled(rogue, s, *options):
    rogue.add('127.0.8.1', s)
    r = subprocess.run([PEER, *options, '-c', 'c', f'127.0.8.1:{rogue.port}'], capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, (r.returncode, r.stderr[-3000:])
    return [json.loads(x) for x in r.stdout.splitlines()][:-1]


def read_whole(rogue):
    contexts = {1: Context(1, {1: 1}), 10: Context(10, {2: 1, 3: 2}), 20: Context(20, {2: 1}, shift=2), 30: Context(30, {})}
    want = sorted([place(1, 101, 1), place(2, 101, 10), place(3, 102, 10), place(2, 103, 20)])
    for version in ([], ['-1']):
        s = Catalyst((1, 10, 20, 30, 1002, 1003, 1004, 1005), contexts, {1: 1})
        p, = polled(rogue, s, *version)
        same(f'each VLAN with its own bridge ports; the default context repeats VLAN 1; an empty VLAN is complete {version}',
             (p['state'], p['complete'], sorted(p['macs'])), ('ok', ALL, want))
        same('1002 to 1005 are not asked', sorted(set(s.vlans)), [1, 10, 20, 30])

    class Asked(Switch):
        asked_vtp = 0

        def answer(self, q):
            self.asked_vtp += any(o[:9] == VTP[:9] for o in q.oids)
            return super().answer(q)

    s = Asked(tables(macs=(), extra=stations({1: 1})))
    p, = polled(rogue, s)
    same('a switch without VLAN contexts: one question more', (p['state'], p['macs'], s.asked_vtp), ('ok', [place(1, 101, 0)], 1))
    s = Asked(tables(extra=vtp((10, 20))))
    p, = polled(rogue, s)
    same('a table that holds all VLANs: none', (p['state'], p['complete'], s.asked_vtp), ('ok', ALL, 0))


def unanswered(rogue):
    s = Catalyst((1, 10, 20, 30, 40), {}, {1: 1})
    first, second = polled(rogue, s, '-n', '2', '-i', '20')
    for p in (first, second):
        same('no context answers: alive, the table of addresses incomplete, and no other', (p['state'], p['complete'], p['macs']),
             ('incomplete', ALL & ~FDB_BIT, [place(1, 101, 0)]))
        same('and what to do', 'VLAN contexts have to be allowed on the switch' in p['error'], True)
    same('two of them are asked, thrice', s.vlans[:6], [1, 1, 1, 10, 10, 10])
    same('in the next poll others', s.vlans[6:], [20] * 3 + [30] * 3)
    s = Catalyst((1, 10, 20), {1: Context(1, {1: 1}), 20: Context(20, {2: 2})}, {1: 1})
    first, second = polled(rogue, s, '-n', '2', '-i', '20')
    for p, tries in ((first, 3), (second, 1)):
        same('one of three does not answer: the others are read', (p['state'], p['complete'], sorted(p['macs']), p['timeouts']),
             ('incomplete', ALL & ~FDB_BIT, sorted([place(1, 101, 1), place(2, 102, 20)]), tries))
        same('its number is told', 'VLAN 10: ' in p['error'], True)
    same('it is asked last from then on', s.vlans[-1], 10)


def bounded(rogue):
    many = [v for v in range(1, 4001) if not 1002 <= v <= 1005]
    s = Everywhere(many)
    first, second = polled(rogue, s, '-n', '2', '-m', '4000')
    for p in (first, second):
        same('P2: 4,000 VLANs: the requests of a poll', (p['state'], p['complete'] & FDB_BIT, p['requests'] <= 600), ('incomplete', 0, True))
        same('P2: and how many were left', ' more: not asked: more requests needed than allowed' in p['error'], True)
    same('P2: the second poll asks the ones that the first did not', (len(s.vlans) > 100, len(s.vlans), s.vlans),
         (True, len(set(s.vlans)), sorted(s.vlans)))
    s = Everywhere(many, delay=0.02)
    p, = polled(rogue, s, '-i', '3')
    same('P1: 4,000 slow VLANs: the time of a poll', (p['state'], p['ms'] <= 3100, 'no time left' in p['error'], p['complete']),
         ('incomplete', True, True, ALL & ~FDB_BIT))
    p, = polled(rogue, Everywhere(many))
    same('all of them where there is time', (p['state'], p['complete']), ('ok', ALL))


def without_memory(rogue):
    """poll_peer -o: lets each allocation of a poll fail once."""
    rogue.add('127.0.8.1', Catalyst((1, 10), {1: Context(1, {1: 1}), 10: Context(10, {2: 2})}, {1: 1}))
    r = subprocess.run([PEER, '-o', '-c', 'c', f'127.0.8.1:{rogue.port}'], capture_output=True, text=True, timeout=60)
    p = json.loads(r.stdout.splitlines()[0])
    same('out of memory at each allocation: never a table that claims to be whole', (r.returncode, p['wrong'], p['incomplete'] > 30), (0, 0, True))


# ---- the daemon, over SNMPv3

def snmpd(lab, agent):
    """Contexts vl_1 and vl_10 become c@1 and c@10."""
    port, folder = free_port(), os.path.join(lab.dir, 'snmpd.d')
    os.makedirs(folder)
    trees = ('.1.3.6.1.2.1.2', '.1.3.6.1.2.1.17', '.1.3.6.1.2.1.31', '.1.3.6.1.4.1.9')
    with open(os.path.join(folder, 'snmpd.conf'), 'w') as f:
        f.write('createUser u SHA-256 "secret secret" AES "secret secret"\nview all included .1\nrouser u priv -V all\nrouser u priv -V all vl_*\n')
        f.writelines(f'proxy -v 2c -c c {agent} {t}\n' for t in trees)
        f.writelines(f'proxy -Cn vl_{v} -v 2c -c c@{v} {agent} .1.3.6.1.2.1.17\n' for v in (1, 10))
    log = os.path.join(folder, 'log')
    lab.start('snmpd', ['snmpd', '-f', '-C', '-c', f.name, '-Lf', log, '-I', 'system_mib,usmConf,usmUser,vacm_conf,snmpEngine,proxy',
                        f'udp:127.0.0.1:{port}'], env={'SNMP_PERSISTENT_DIR': folder, 'MIBS': ''})
    lab.wait(lambda: os.path.exists(log) and 'NET-SNMP' in open(log).read(), 10, 'snmpd does not start')
    return port


def daemon(rogue):
    one, two = (':'.join('%02x' % b for b in mac_of(n)) for n in (1, 2))
    s = rogue.add('127.0.8.9', Catalyst((1, 10), {1: Context(1, {1: 1}), 10: Context(10, {2: 2})}, {1: 1}, ageing=10))
    with Lab(BUILD) as lab:
        noc = Trapd(lab, 'noc')
        port = snmpd(lab, f'127.0.8.9:{rogue.port}')
        lab.configure('sites = ( { name = "hq"; sensitivity = "sensitive"; } );\ncredentials = ( { name = "noc"; version = "2c"; community = "public"; }, { name = "v3"; version = "3"; user = "u"; '
                      'auth = "SHA-256"; auth_secret = "secret secret"; priv = "AES-128"; priv_secret = "secret secret"; context_prefix = "vl_"; } );\n'
                      f'switches = ( {{ name = "cat"; address = "127.0.0.1:{port}"; site = "hq"; credential = "v3"; poll_interval = "4s"; }} );\n',
                      [lab.receiver(noc, "noc")], pollers=1)
        lab.camtrapd()
        lab.wait(lab.swept, 60, 'no first sweep')

        def seen():
            return {d['mac']: (d['presence'], d['location'].get('ifIndex'), d['location'].get('vlan')) for d in lab.devices()}

        want = {one: ('present', 101, 1), two: ('present', 102, 10)}
        lab.wait(lambda: seen() == want, 30, 'cameras of two VLAN contexts by SNMPv3')
        same('v3: cameras of two VLAN contexts, named with the configured prefix', seen(), want)
        s.contexts = {}
        lab.wait(lambda: lab.ctl('switches')['switches'][0]['state'] == 'incomplete', 40, 'contexts that stop to answer leave a table incomplete')
        t = time.monotonic()
        while time.monotonic() - t < 15:			# beyond ageing, and more than two polls
            assert {m: x[:2] for m, x in seen().items()} == {m: x[:2] for m, x in want.items()}, f'P1: contexts without an answer have removed something: {seen()}'
            time.sleep(1)
        print('ok: P1: VLAN contexts that stop to answer: alive, incomplete, and nothing is gone')
        same('and camtrapctl switches says why', 'VLAN contexts have to be allowed' in json.dumps(lab.ctl('switches')), True)
        s.contexts = {1: Context(1, {1: 1}), 10: Context(10, {})}
        lab.wait(lambda: seen().get(two, ('',))[0] == 'gone', 60, 'R7: complete contexts remove')
        same('R7: complete contexts do remove', seen()[one][0], 'present')


def main():
    rogue = Rogue()
    for part in (read_whole, unanswered, bounded, without_memory, daemon):
        t = time.monotonic()
        part(rogue)
        print(f'-- {part.__name__}: {time.monotonic() - t:.1f} s', flush=True)
    rogue.close()


main()
