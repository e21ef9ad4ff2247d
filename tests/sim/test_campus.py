#!/usr/bin/env python3
"""The emulated campus itself, asked with Debian's own SNMP tools: what a test of camtrapd relies on is really there.
Usage: test_campus.py CAMPUS"""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

B, L, IF = '.1.3.6.1.2.1.17', '.1.0.8802.1.1.2.1', '.1.3.6.1.2.1'
CAMERA = '44:19:b6:aa:00:01'
FIRST = '127.11.3.250'		# so that .255 and .0 are passed over


class Campus:
    def __init__(self, program, *options):
        self.dir = tempfile.mkdtemp(prefix='campus.')
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((FIRST, 0))
            self.port = s.getsockname()[1]
        self.path = os.path.join(self.dir, 'control')
        self.config = os.path.join(self.dir, 'campus.conf')
        self.process = subprocess.Popen([program, '--port', str(self.port), '--first', FIRST, '--control', self.path, '--config',
                                         self.config, '--seconds', '100', *options], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert re.fullmatch(r'ready \d+ switches\n', line), line
        self.address = dict(re.findall(r'name = "([^"]+)"; address = "([^"]+)"', open(self.config).read()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir)

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.path)
            s.sendall(command.encode() + b'\n')
            with s.makefile() as f:
                lines = []
                for line in f:
                    lines.append(line.rstrip('\n'))
                    if re.match('ok|error', line):
                        return lines

    def do(self, command):
        lines = self.ask(command)
        assert re.fullmatch(r'ok \d{16}', lines[-1]), (command, lines[-1])
        assert abs(int(lines[-1].split()[1]) / 1e6 - time.time()) < 5, lines[-1]
        return lines[:-1]

    def truth(self):
        return {t['mac']: t for t in map(json.loads, self.do('truth'))}

    def tool(self, tool, switch, *args, version='2c', community='public', timeout='5'):
        return subprocess.run([tool, '-v', version, '-c', community, '-r', '0', '-t', timeout, '-On', '-Oe', '-OU', '-Ot', '-m', '',
                               *args[:-1], self.address[switch], args[-1]], capture_output=True, text=True, timeout=60)

    def walk(self, switch, oid, tool='snmpbulkwalk', **kw):
        """{index as text: value as text}, in the order of the answers; the tool itself fails when names do not increase."""
        args = ['-Cr40'] if tool == 'snmpbulkwalk' else []
        r = self.tool(tool, switch, *args, oid, **kw)
        assert r.returncode == 0, r.stderr
        rows = {}
        for line in r.stdout.splitlines():
            if ' = ' in line and 'No ' not in line.split(' = ', 1)[1]:
                name, value = line.split(' = ', 1)
                assert name not in rows, name
                rows[name[len(oid) + 1:]] = value.split(': ', 1)[-1].strip('"')
        return rows

    def fdb(self, switch):
        """{MAC: (ifIndex, VLAN)} by Q-BRIDGE, mapped the way a poller has to."""
        if_index = self.walk(switch, B + '.1.4.1.2')
        vlan = {v: k.split('.')[1] for k, v in self.walk(switch, B + '.7.1.4.2.1.3').items()}
        rows = {}
        for k, port in self.walk(switch, B + '.7.1.2.2.1.2').items():
            fdb_id, *mac = k.split('.')
            rows[':'.join(f'{int(x):02x}' for x in mac)] = (int(if_index[port]) if port != '0' else 0, int(vlan[fdb_id]))
        return rows

    def if_index(self, switch, name):
        return int({v: k for k, v in self.walk(switch, IF + '.31.1.1.1.1').items()}[name])


def same(what, got, want):
    assert got == want, f'{what}: {got!r}, wanted {want!r}'
    print('ok', what, flush=True)


def mac_index(mac):
    return '.'.join(str(int(x, 16)) for x in mac.split(':'))


def numbers(c):
    ports = c.walk('acc-001', B + '.1.4.1.2')
    same('bridge ports and ifIndexes', [int(x) for x in ports.values()], [10100 + int(p) for p in ports])
    same('number of ports', c.walk('acc-001', B + '.1.2'), {'0': '25'})
    same('FDB IDs are not VLANs', {k: v for k, v in c.walk('acc-001', B + '.7.1.4.2.1.3').items() if k.split('.')[1] == v}, {})
    same('LLDP ports are named', c.walk('acc-001', L + '.3.7.1.3')['501'], 'Gi1/0/1')
    same('ageing', c.walk('core-1', B + '.4.2'), {'0': '77'})
    same('objectID', c.walk('core-1', IF + '.1.2'), {'0': '.1.3.6.1.4.1.32473.1.1'})
    up = [int(c.walk('core-1', IF + '.1.3')['0'])]
    time.sleep(0.3)
    up.append(int(c.walk('core-1', IF + '.1.3')['0']))
    same('sysUpTime runs in hundredths', 25 <= up[1] - up[0] < 500, True)
    same('no address ends in 0 or 255', [a for a in c.address.values() if re.search(r'\.(0|255):', a)], [])
    text = open(c.config).read()
    same('sites', (re.search(r'"acc-001".*site = "(\w+)"', text)[1], re.search(r'"acc-002".*site = "(\w+)"', text)[1]), ('depot', 'hq'))


def links(c):
    """Each switch names its neighbour, and its MAC is learned in VLAN 1 on the port between them."""
    names = c.walk('dist-01', L + '.4.1.1.9')
    same('neighbours of dist-01', sorted(names.values()), ['acc-001', 'acc-002', 'acc-003', 'acc-004', 'acc-005', 'acc-006', 'core-1'])
    mac = c.walk('acc-002', B + '.1.1')['0'].replace(' ', ':').strip(':').lower()
    index = next(k for k, v in names.items() if v == 'acc-002')
    same('chassis', c.walk('dist-01', L + '.4.1.1.5')[index].replace(' ', ':').strip(':').lower(), mac)
    same('its port', c.walk('dist-01', L + '.4.1.1.7')[index], 'Te1/1/1')
    port = c.walk('dist-01', L + '.3.7.1.3')[index.split('.')[1]]
    same('learned there', c.fdb('dist-01')[mac], (c.if_index('dist-01', port), 1))
    man = [k for k in c.walk('dist-01', L + '.4.2.1.4') if k.startswith(index + '.')]
    same('its address', man, [index + '.1.4.' + c.address['acc-002'].split(':')[0]])
    same('own MAC is self', c.walk('acc-002', B + '.4.3.1.3')[mac_index(mac)], '4')
    same('own MAC has no port', c.fdb('acc-002')[mac], (0, 1))
    far = c.walk('acc-012', B + '.1.1')['0'].replace(' ', ':').strip(':').lower()
    same('a far switch lies upwards', c.fdb('acc-002')[far], (c.if_index('acc-002', 'Te1/1/1'), 1))


def consistent(c):
    """Truth and tables agree on every switch: on the access port at home, on the way up, and by flood in the block."""
    truth = c.truth()
    home = c.fdb('acc-003')
    same('at home', {m: home.get(m) for m, t in truth.items() if t['switch'] == 'acc-003'},
         {m: (t['ifIndex'], t['vlan']) for m, t in truth.items() if t['switch'] == 'acc-003'})
    block = {f'acc-{i:03}' for i in range(1, 7)}
    same('flood stays in the block', {m for m in home if m in truth}, {m for m, t in truth.items() if t['switch'] in block})
    core = c.fdb('core-1')
    same('the core knows all', {m for m in truth if m not in core}, set())
    down = c.if_index('core-1', 'Te1/0/2')
    same('by the right distribution switch', {m for m in truth if core[m][0] == down},
         {m for m, t in truth.items() if t['switch'] not in block})
    same('restricted ones', sum(t['restricted'] for t in truth.values()), 4)
    same('ARP', len(c.walk('core-1', IF + '.4.22.1.2')), len(truth))
    same('no ARP on the others', len(c.walk('dist-01', IF + '.4.22.1.2')), 0)
    d, q = c.walk('acc-003', B + '.4.3.1.2'), c.walk('acc-003', B + '.7.1.2.2.1.2')
    same('BRIDGE-MIB says the same', d, {k.split('.', 1)[1]: v for k, v in q.items()} if len(d) == len(q) else None)


def plug_and_move(c):
    port = c.if_index('acc-002', 'Gi1/0/9')
    seen = lambda sw: c.fdb(sw).get(CAMERA)
    oper = lambda sw, i: c.walk(sw, IF + '.2.2.1.8')[str(i)]
    changed = lambda sw, i: int(c.walk(sw, IF + '.2.2.1.9')[str(i)])
    same('not there yet', (seen('acc-002'), oper('acc-002', port)), (None, '2'))
    before = changed('acc-002', port)
    c.do(f'plug acc-002 Gi1/0/9 {CAMERA} vlan 20 lldp HIKVISION DS-2CD2143G2-I ip 10.20.0.77')
    same('on its port', seen('acc-002'), (port, 20))
    same('the port is up', (oper('acc-002', port), changed('acc-002', port) > before), ('1', True))
    same('in dist-01, downwards', seen('dist-01'), (c.if_index('dist-01', 'Te1/0/2'), 20))
    same('in core-1, downwards', seen('core-1'), (c.if_index('core-1', 'Te1/0/1'), 20))
    same('beside it, upwards', seen('acc-001'), (c.if_index('acc-001', 'Te1/1/1'), 20))
    same('not in another block', seen('acc-008'), None)
    same('MED maker', list(c.walk('acc-002', L + '.5.4795.1.3.3.1.5').values()).count('HIKVISION') >= 1, True)
    same('MED model and port', [v for k, v in c.walk('acc-002', L + '.5.4795.1.3.3.1.6').items() if k.startswith('0.509.')], ['DS-2CD2143G2-I'])
    same('ARP of it', c.walk('core-1', IF + '.4.22.1.2').get('20.10.20.0.77', '').split(), CAMERA.upper().split(':'))
    t = c.truth()[CAMERA]
    same('truth', (t['switch'], t['ifIndex'], t['port'], t['vlan'], t['restricted']), ('acc-002', port, 'Gi1/0/9', 20, True))
    same('exact GET', c.tool('snmpget', 'acc-002', f'{B}.7.1.2.2.1.2.1001.{mac_index(CAMERA)}').stdout.split(': ')[-1].strip(), '9')

    c.do(f'move {CAMERA} acc-010 4')
    same('moved', (seen('acc-002'), seen('dist-01'), seen('acc-010'), seen('core-1')),
         (None, None, (c.if_index('acc-010', 'Gi1/0/4'), 20), (c.if_index('core-1', 'Te1/0/2'), 20)))
    same('the old port is down', oper('acc-002', port), '2')
    c.do(f'age {CAMERA}')
    same('aged out, port still up', (seen('acc-010'), seen('core-1'), oper('acc-010', 10104), c.truth()[CAMERA]['learned']),
         (None, None, '1', False))
    c.do(f'move {CAMERA} acc-010 Gi1/0/4')
    same('heard again', seen('acc-010'), (10104, 20))
    c.do(f'unplug {CAMERA}')
    same('gone', (seen('acc-010'), seen('core-1'), CAMERA in c.truth(), c.walk('acc-010', L + '.5.4795.1.3.3.1.5')), (None, None, False, {}))
    c.do(f'plug acc-010 4 {CAMERA} vlan 33')
    same('a VLAN that was not there', seen('acc-010'), (10104, 33))
    c.do(f'unplug {CAMERA}')
    for bad in (f'plug nowhere 1 {CAMERA}', f'plug acc-001 99 {CAMERA}', f'plug acc-001 Te1/1/1 {CAMERA}', 'plug acc-001 1 xx', 'unplug ' + CAMERA,
                'dance', f'plug acc-001 1 {CAMERA} vlan 0', f'plug acc-001 1 {CAMERA} lldp X', 'move', f'plug acc-001 1 01{CAMERA[2:]}', ''):
        same('refused: ' + bad, c.ask(bad)[-1].startswith('error '), True)


def protocol(c):
    whole = c.walk('core-1', '.1')
    keys = [[int(x) for x in k.split('.')] for k in whole]
    same('the whole tree increases', (keys == sorted(keys), len(keys) > 500), (True, True))
    same('v1 walks the same', set(c.walk('acc-001', '.1', tool='snmpwalk', version='1')), set(c.walk('acc-001', '.1')))
    same('v1: noSuchName', 'noSuchName' in c.tool('snmpget', 'acc-001', '.1.3.6.1.2.1.1.9.0', version='1').stderr, True)
    same('noSuchObject', 'No Such Object' in c.tool('snmpget', 'acc-001', '.1.3.6.1.2.1.1.9.0').stdout, True)
    same('noSuchInstance', 'No Such Instance' in c.tool('snmpget', 'acc-001', '.1.3.6.1.2.1.1.5.1').stdout, True)
    same('endOfMibView', 'No more variables' in c.tool('snmpgetnext', 'acc-001', '.1.3.6.1.2.1.31.1.5.0').stdout, True)
    same('another community: silence', 'Timeout' in c.tool('snmpget', 'acc-001', '.1.3.6.1.2.1.1.5.0', community='x', timeout='0.5').stderr, True)
    c.do('dead acc-001')
    same('dead: silence', 'Timeout' in c.tool('snmpget', 'acc-001', '.1.3.6.1.2.1.1.5.0', timeout='0.5').stderr, True)
    c.do('alive acc-001')
    same('alive', c.walk('acc-001', IF + '.1.5'), {'0': 'acc-001'})


def octets(c):
    """Replies stay under 1,400 octets, and rubbish neither ends the campus nor is answered with rubbish."""
    host, port = c.address['core-1'].split(':')
    bulk = bytes.fromhex('302802010104067075626c6963a51b020203e9020100020203e8300e300c06082b060102011104030500')
    assert len(bulk) == 2 + bulk[1], len(bulk)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.sendto(bulk, (host, int(port)))
        n = len(s.recv(65536))
        same('GETBULK is filled and bounded', 1300 < n <= 1400, True)
        seed = 20261124
        print('seed', seed)
        r = random.Random(seed)
        for _ in range(3000):
            b = bytearray(bulk)
            for _ in range(r.randrange(1, 5)):
                b[r.randrange(len(b))] = r.randrange(256)
            s.sendto(bytes(b[:r.randrange(len(b) + 1)] if r.random() < 0.3 else b), (host, int(port)))
    same('still there', c.walk('core-1', IF + '.1.5'), {'0': 'core-1'})


def ends(c):
    same('quit', c.ask('quit')[-1].startswith('ok '), True)
    same('its status', c.process.wait(10), 0)
    same('its socket is gone', os.path.exists(c.path), False)


def main():
    for tool in ('snmpget', 'snmpbulkwalk'):
        assert shutil.which(tool), f'{tool} is missing: apt install snmp'
    # 1 core, 2 distribution, 12 access switches.
    with Campus(sys.argv[1], '--switches', '15', '--hosts', '3', '--cameras', '4', '--seed', '5', '--ageing', '77') as c:
        for check in numbers, links, consistent, plug_and_move, protocol, octets, ends:
            check(c)
    for n in 1, 2, 3, 14, 16:
        with Campus(sys.argv[1], '--switches', str(n), '--hosts', '1', '--cameras', '1') as c:
            same(f'{n} switches', len(c.address), n)
            c.walk('acc-001', '.1')
            c.process.send_signal(signal.SIGTERM)
            same('SIGTERM', c.process.wait(10), 0)


if __name__ == '__main__':
    main()
