#!/usr/bin/env python3
"""What ships beside the program holds: manual pages lint, the MIB lints and names what it should, the example configuration
checks, the schemas are schemas, scripts parse. And what camtrapctl says: documents by their schemas, exit codes, tables that fit,
events without a gap over restarts; H7: hostile clients of the control socket lose only themselves."""
import copy
import glob
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import struct
import subprocess
import sys
import threading
import time

import jsonschema

from lab import SHARED, SOURCE, Lab, Trapd, same, skip


def run(*argv, **kw):
    return subprocess.run(argv, capture_output=True, text=True, **kw)


def ctl(lab, *words, env=None, **kw):
    p = run(lab.tool('camtrapctl'), '-c', lab.conf, *words, env={**os.environ, **(env or {})}, timeout=90, **kw)
    assert 'Sanitizer' not in p.stderr, p.stderr
    return p


def connect(lab):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(os.path.join(lab.dir, 'run', 'control.sock'))
    s.settimeout(30)
    return s


def read_all(s):
    text = b''
    try:
        while True:
            more = s.recv(1 << 16)
            if not more:
                return text
            text += more
    except ConnectionResetError:
        return text


def spoilt(document):
    """Copies of a document, each wrong in one place: what a schema must refuse."""
    def paths(o, at=()):
        if isinstance(o, dict):
            yield at
            for k, v in o.items():
                yield from paths(v, at + (k,))
        elif isinstance(o, list) and o:
            yield from paths(o[0], at + (0,))

    for at in paths(document):
        d = copy.deepcopy(document)
        o = d
        for k in at:
            o = o[k]
        o['noSuchKey'] = {}
        yield f'a key too many in {at}', d
    for k in set(document) - {'why'}:		# a test notification that timed out has none
        d = copy.deepcopy(document)
        del d[k]
        yield f'without {k}', d
    text = json.dumps(document)
    stamp = re.search(r'"\d{4}-\d\d-\d\dT[^"]*Z"', text)
    if stamp:
        yield 'a local time', json.loads(text.replace(stamp.group(), '"24.11.2026 00:21"'))


def schemas(lab):
    """Every document is as its schema says (lab.ctl validates), and the schema would have said so if not."""
    network = [re.search(r'address = "([^"]*)"', x).group(1) for x in open(lab.conf) if 'name = "acc-001"' in x]
    community = os.path.join(lab.dir, 'community')
    with open(community, 'w') as f:
        f.write('public\n')
    record = os.path.join(lab.dir, 'acc-001.snmprec')
    commands = [('status',), ('switches',), ('topology',), ('doctor',), ('devices',), ('device', '1'), ('find', '44:19'), ('find', '--all'), ('events',), ('poll', 'acc-001'),
                ('test', 'noc'), ('probe', network[0], '--community-file', community, '--record', record),
                ('classify', '44:19:b6:01:02:03', '--med-maker', 'HIKVISION')]
    for words in commands:
        document = lab.ctl(*words, status=(1,) if words[0] == 'doctor' else (0,))	# the campus has a community that all know
        validator = jsonschema.Draft7Validator(json.load(open(os.path.join(SOURCE, 'doc', 'schema', words[0] + '.schema.json'))))
        refused = 0
        for what, wrong in spoilt(document):
            assert not validator.is_valid(wrong), f'the schema of {words[0]} takes a document with {what}'
            refused += 1
        print(f'ok: {words[0]}: valid, {refused} spoilt ones refused')
    lines = open(record).read().splitlines()
    assert len(lines) > 20 and all(re.fullmatch(r'[0-9.]+\|\d+x?\|[^|]*', x) for x in lines), lines[:5]
    oids = [tuple(map(int, x.split('|')[0].split('.'))) for x in lines]
    same('a recording is in order of OID, each once', oids, sorted(set(oids)))
    same('mode of a recording', stat.S_IMODE(os.stat(record).st_mode), 0o600)
    same('a recording is not overwritten', ctl(lab, 'probe', network[0], '--community-file', community, '--record', record).returncode, 2)
    # A community that is also a switch's name: what holds it is left out.
    p = run(lab.tool('camtrapctl'), 'probe', network[0], '--community', 'acc-001', '--record', record + '2', '--timeout', '2', timeout=90)
    assert p.returncode in (3, 5), p
    assert 'no answer: wrong address, wrong community or an access list; v1/v2c cannot tell which\n' in p.stderr, p.stderr
    assert not os.path.exists(record + '2') or 'acc-001'.encode().hex() not in open(record + '2').read()


def weak_credentials(lab):
    s = lab.ctl('status')
    same('C5: v2c is weak', s['credentials'], [{'name': 'campus', 'version': '2c', 'weak': True, 'why': 'version 2c', 'switches': s['switches']['ok']}])
    same('C5: and status says so', 'credentials  1 of 1 weak: campus (version 2c, %d switches)' % s['switches']['ok'] in
         re.sub(' {2,}', '  ', ctl(lab, 'status').stdout), True)


def exit_codes(lab):
    nobody = ['-s', os.path.join(lab.dir, 'nobody.sock')]
    cases = [(0, ['status']), (0, ['switches', 'acc-001']), (0, ['find', '44:19:b6']), (0, ['--csv', 'devices']), (0, ['mib']), (0, ['poll', 'acc-001']),
             (0, ['test', 'noc']), (0, ['topology', '--dot']), (0, ['--csv', 'topology', 'core-1']), (0, ['devices', '--help']), (0, ['events', '--since', '1h']), (0, ['events', '--since', '2026-01-01']),
             (1, ['switches', 'no-such']), (1, ['topology', 'no-such']), (1, ['device', '4000000000']), (1, ['find', 'no such maker']), (1, ['devices', '--site', 'x']),
             (1, ['poll', 'no-such']), (1, ['test', 'no-such']), (1, ['classify', '00:14:22:01:02:03']), (1, ['events', '--since', '2099-01-01']),
             (2, []), (2, ['no-such']), (2, ['--no-such']), (2, ['device']), (2, ['device', 'x']), (2, ['find']), (2, ['find', '']), (2, ['status', 'x']),
             (2, ['devices', '--no-such']), (2, ['devices', '--site']), (2, ['devices', '--presence', 'here']), (2, ['devices', '--follow']),
             (2, ['events', '--since', 'yesterday']), (2, ['poll']), (2, ['topology', '--no']), (2, ['doctor', 'x']), (2, ['probe']), (2, ['probe', 'name.example']),
             (2, ['probe', '127.0.0.1', '--timeout', '0']), (2, ['classify', 'x']), (2, ['--csv', 'mib']), (2, ['find', 'x' * 300]),
             (3, nobody + ['status']), (3, nobody + ['doctor']), (3, nobody + ['events', '--follow']),
             (4, ['-c', os.path.join(lab.dir, 'none.conf'), 'status']), (4, ['probe', '127.0.0.1', '--credential', 'no-such'])]
    for code, words in cases:
        p = ctl(lab, *words)
        assert p.returncode == code, (words, p.returncode, p.stdout[-300:], p.stderr)
        if code == 2:
            lines = p.stderr.splitlines()
            assert lines[0].startswith(('camtrapctl: ', lab.tool('camtrapctl') + ': ')) and 'usage: camtrapctl' in p.stderr, (words, p.stderr)
            assert p.stdout == '', (words, p.stdout)
        elif code != 0:
            assert p.stderr.strip() or 'classify' in words, words
    print(f'ok: {len(cases)} exit codes, and usage on standard error where it is 2')


def tables(lab):
    for width in (80, 160):
        for words in (['status'], ['switches'], ['devices'], ['events'], ['find', '44:19:b6']):
            out = ctl(lab, *words, env={'COLUMNS': str(width)}).stdout
            if words[0] != 'status':
                assert max(map(len, out.splitlines())) <= width, (words, out)
            assert '\033' not in out, 'colour without a terminal'
    same('lines of status at 80x24', len(ctl(lab, 'status', env={'COLUMNS': '80'}).stdout.splitlines()) <= 24, True)
    raw = subprocess.run([lab.tool('camtrapctl'), '-c', lab.conf, '--csv', 'devices'], capture_output=True, timeout=90).stdout.decode()
    rows = raw.split('\r\n')
    same('CSV: head and rows', (rows[0].split(',')[:3], len(rows) - 2), (['id', 'mac', 'vendor'], len(lab.devices())))


def history(lab):
    """A camera that moved and went: device and find tell where it was, in any spelling; an ordinary device has no history."""
    lab.do('plug acc-002 9 44:19:b6:aa:00:01 vlan 20 ip 10.20.0.77')
    mac = '44:19:b6:aa:00:01'
    one = lab.wait(lambda: [d for d in lab.devices() if d['mac'] == mac and d['location']['switch'] == 'acc-002'], 20, 'not found')[0]
    lab.do(f'move {mac} acc-003 9')
    lab.wait(lambda: [d for d in lab.devices() if d['mac'] == mac and d['location']['switch'] == 'acc-003'], 40, 'the move is not seen')
    was = lab.wait(lambda: lab.ctl('device', str(one['id']))['device']['history'], 10, 'no history')
    same('where it was', [(h['switch'], h['ifIndex']) for h in was], [('acc-002', one['location']['ifIndex'])])
    for text in (mac, mac.upper(), '44-19-b6-aa-00-01', '4419.b6aa.0001', '4419b6aa0001', 'aa:00:01', 'b6aa00'):
        found = [s for s in lab.ctl('find', text)['stations'] if s['mac'] == mac]
        same(f'find {text}', [(s['detectionId'], s['history'] == was) for s in found], [(one['id'], True)])
    lab.do(f'unplug {mac}')
    lab.wait(lambda: lab.ctl('device', str(one['id']))['device']['presence'] == 'gone', 60, 'it does not go')
    gone = lab.ctl('find', mac)['stations']
    same('found when it is gone', [(s['presence'], s['sightings'], len(s['history'])) for s in gone], [('gone', [], 2)])
    ordinary = [s for s in lab.ctl('find', '--all')['stations'] if 'detectionId' not in s]
    assert len(ordinary) > 10 and all(s['history'] == [] for s in ordinary)
    p = ctl(lab, 'find', mac)
    assert 'was at' in p.stdout and 'Where it was before' in p.stdout, p.stdout


def hostile(lab):
    """H7."""
    path = os.path.join(lab.dir, 'run', 'control.sock')
    same('mode of the control socket', stat.S_IMODE(os.stat(path).st_mode), 0o660)
    if os.geteuid() == 0:
        os.chmod(lab.dir, 0o711)
        p = run(lab.tool_for_all('camtrapctl'), '-s', path, 'status', user=65534, group=65534, extra_groups=[])
        same('another user', (p.returncode, 'Permission denied' in p.stderr), (4, True))
        os.chmod(lab.dir, 0o700)
    views = lab.pid_of('views')
    half, begun = connect(lab), time.monotonic()
    half.sendall(b'{"command":')
    drip = connect(lab)

    def dripping():
        try:
            while True:
                drip.sendall(b' ')
                time.sleep(1)
        except OSError:
            pass

    dripper = threading.Thread(target=dripping)
    dripper.start()
    garbage = connect(lab)
    try:
        garbage.sendall(os.urandom(1 << 20).replace(b'\n', b' '))
    except OSError:
        pass
    assert b'longer than 8192' in read_all(garbage)
    for line in (b'\n', b'[]\n', b'nonsense\n', b'{"command":"status"\0}\n', b'[' * 8000 + b'\n', b'{"command":7}\n', b'{"command":"remove"}\n',
                 b'{"command":"events","after":-1}\n', b'{"command":"events","limit":99999999}\n', b'{"command":"device","argument":"0"}\n',
                 b'{"command":"devices","filters":[]}\n', b'{"command":"find","argument":"%s"}\n' % (b'a' * 256), b'\xff\xfe\n'):
        s = connect(lab)
        s.sendall(line)
        assert json.loads(read_all(s))['error'], line
    unread = []
    for _ in range(20):			# they ask for much and read nothing
        s = connect(lab)
        s.sendall(b'{"command":"find","all":true}\n')
        unread.append(s)
    idle = [connect(lab) for _ in range(200)]
    start = time.monotonic()
    for _ in range(5):
        lab.ctl('devices', status=(0,))
    took = time.monotonic() - start
    assert took < 10, f'200 idle clients hold others up: {took} s'
    same('views is the same process', lab.pid_of('views'), views)
    rss = int(re.search(r'VmRSS:\s*(\d+)', open(f'/proc/{views}/status').read()).group(1))
    print(f'ok: H7: 1 MiB of garbage, 200 idle clients, 20 that do not read; five answers in {took:.1f} s, {rss} KiB')
    for s in idle + unread:
        s.close()
    # What began before all that was closed by its time or to make room, however busy it kept itself.
    half.settimeout(12)
    same('half a request', read_all(half), b'')
    dripper.join(15)
    same('one octet a second', dripper.is_alive(), False)
    assert time.monotonic() - begun < 15
    slow, begun = connect(lab), time.monotonic()
    slow.sendall(b'{"command":')
    same('a request that is never finished', read_all(slow), b'')
    assert 8 < time.monotonic() - begun < 14, time.monotonic() - begun


def engine_dies(lab):
    """A question that is open when the engine ends is answered at once."""
    engine = lab.pid_of('engine')
    os.kill(engine, signal.SIGSTOP)
    asked = subprocess.Popen([lab.tool('camtrapctl'), '-c', lab.conf, 'poll', 'acc-001'], stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    start = time.monotonic()
    os.kill(engine, signal.SIGKILL)
    said = asked.communicate(timeout=20)[1]
    same('what is said when the engine ends', (asked.returncode, said), (3, 'camtrapctl: the engine does not answer\n'))
    assert time.monotonic() - start < 5
    lab.wait(lambda: lab.ctl('status', status=None), 20, 'the engine is not back')


def many_events(lab):
    """More events than a page holds: the daemon is down; the latest one is repeated with other numbers."""
    db = sqlite3.connect(os.path.join(lab.dir, 'state', 'camtrapd.db'))
    last, kind, at, detection, body = db.execute('SELECT sequence, type, at, detection, body FROM event ORDER BY sequence DESC').fetchone()
    same('where an event has its number', struct.unpack('>I', body[29:33])[0], last)
    sequence = db.execute('SELECT value FROM counter WHERE name = 1').fetchone()[0]	# a heartbeat has a number, and is not kept
    assert sequence >= last, (sequence, last)
    for i in range(sequence + 1, sequence + 2501):
        name = body[3:23].decode() + f'{i:06d}'
        db.execute('INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)',
                   (i, name, kind, at, detection, body[:3] + name.encode() + struct.pack('>I', i) + body[33:]))
    db.execute('UPDATE counter SET value = ? WHERE name = 1', (sequence + 2500,))
    db.commit()
    db.close()


def numbers(events):
    return [(e['epoch'], e['sequence']) for e in events]


def stored(lab):
    """The numbers of the events in the database; heartbeats are counted and not kept."""
    db = sqlite3.connect(os.path.join(lab.dir, 'state', 'camtrapd.db'))
    out = [x for x, in db.execute('SELECT sequence FROM event ORDER BY sequence')]
    db.close()
    return out


def stop(lab):
    lab.processes['camtrapd'].terminate()
    lab.processes['camtrapd'].wait(15)


def follow(lab):
    """events --follow over the end of each process, of the daemon and of its state: nothing twice, nothing missing."""
    path = os.path.join(lab.dir, 'follow.json')
    with open(path, 'w') as out, open(path + '.err', 'w') as err:
        follower = subprocess.Popen([lab.tool('camtrapctl'), '-c', lab.conf, '--json', 'events', '--follow'], stdout=out, stderr=err)

    def followed():
        return [json.loads(x) for x in open(path).read().splitlines(True) if x.endswith('\n')]

    def caught_up(n):
        mac = f'44:19:b6:dd:00:{n:02x}'
        lab.do(f'plug acc-00{n + 1} {10 + n} {mac} vlan 20')
        lab.wait(lambda: mac in [e['mac'] for e in followed()], 40, f'event {n} does not come')

    try:
        caught_up(1)
        for n, role in ((2, 'views'), (3, 'engine')):
            os.kill(lab.pid_of(role), signal.SIGKILL)
            caught_up(n)
        stop(lab)
        many_events(lab)
        time.sleep(3)
        lab.camtrapd()
        caught_up(4)
        shown = numbers(lab.ctl('events')['events'])
        most = min(len(shown), len(followed()))		# one more may have come in between
        assert most > 2500 and shown[:most] == numbers(followed())[:most], (len(shown), len(followed()))
        old = followed()
        assert len(old) > 2500
        stop(lab)
        kept = stored(lab)
        assert numbers(followed()) == [(old[0]['epoch'], i) for i in kept], f'{len(old)} of {len(kept)} events followed'
        print(f'ok: {len(kept)} events followed, none twice and none missing')
        shutil.rmtree(os.path.join(lab.dir, 'state'))
        lab.camtrapd()
        lab.wait(lab.swept, 60, 'no sweep after the state was lost')
        caught_up(5)
        new = [e for e in followed() if e['epoch'] != old[0]['epoch']]
        same('the new epoch from its start', [e['sequence'] for e in new], stored(lab)[:len(new)])
        same('the follower goes on', follower.poll(), None)
        said = open(path + '.err').read()
        assert 'waiting for it' in said and 'answers again' in said and 'lost its state' in said, said
    finally:
        follower.terminate()
        follower.wait()


def examples(lab):
    """What the manual and README show is what one can type."""
    page = open(os.path.join(SOURCE, 'doc', 'camtrapctl.1')).read()
    readme = open(os.path.join(SOURCE, 'README.md')).read()
    typed = re.findall(r'^\.Dl \$ camtrapctl (.*)$', page, re.M) + [x.split('#')[0].split('>')[0] for x in
                                                               re.findall(r'^    camtrapctl (.*)$', readme, re.M)]
    assert len(typed) >= 7, typed
    for words in typed:
        if '--follow' in words:
            p = subprocess.Popen([lab.tool('camtrapctl'), '-c', lab.conf, *words.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            json.loads(p.stdout.readline())
            p.terminate()
            p.wait()
            continue
        p = ctl(lab, *words.split())
        assert p.returncode in (0, 1) and 'usage' not in p.stderr, (words, p.returncode, p.stderr)
    block = re.search(r'## A first configuration\n\n((?:    .*\n)+)', readme).group(1)
    folder = os.path.join(lab.dir, 'readme')
    shutil.copytree(os.path.join(SOURCE, 'conf'), folder)
    for name in re.findall(r'/etc/camtrapd/keys/([a-z.]+)', block):
        with open(os.path.join(folder, name), 'w') as f:
            f.write('a secret of an example\n')
        os.chmod(f.name, 0o600)
    with open(os.path.join(folder, 'readme.conf'), 'w') as f:
        f.write(block.replace('/etc/camtrapd/keys', folder))
    os.chmod(f.name, 0o600)
    p = run(lab.tool('camtrapd'), '--check', '-c', f.name)
    same('the configuration in README', (p.returncode, [x for x in p.stderr.splitlines() if 'warning' not in x]), (0, []))


def people(build):
    with Lab(build) as lab:
        noc = Trapd(lab, 'noc')
        text = lab.campus(switches=8, hosts=6, cameras=4, seed=3, ageing=10)
        lab.configure(text + 'switch_defaults = { poll_interval = "2s"; };\n', [lab.receiver(noc)])
        lab.camtrapd()
        lab.wait(lab.swept, 60, 'no first sweep')
        lab.wait(lambda: len(lab.devices()) == 4, 20, 'the stock is not found')
        for part in (weak_credentials, exit_codes, schemas, examples, tables, history, hostile, engine_dies, follow):
            start = time.monotonic()
            part(lab)
            print(f'{part.__name__}: {time.monotonic() - start:.1f} s')


def main():
    for page in sorted(glob.glob(os.path.join(SOURCE, 'doc', '*.[1-8]'))):
        p = run('mandoc', '-T', 'lint', '-W', 'warning', page)
        same('lint of ' + os.path.basename(page), p.stdout + p.stderr, '')
    for schema in glob.glob(os.path.join(SOURCE, 'doc/schema/*.json')):
        jsonschema.Draft7Validator.check_schema(json.load(open(schema)))
    for script in ('packaging/try.sh', 'packaging/deps.sh', 'tests/run.sh', '.ci/run'):
        same('syntax of ' + script, run('bash', '-n', os.path.join(SOURCE, script)).stderr, '')

    with Lab(sys.argv[1]) as lab:
        conf = os.path.join(lab.dir, 'conf')
        shutil.copytree(os.path.join(SOURCE, 'conf'), conf)
        text = open(os.path.join(conf, 'camtrapd.conf')).read()
        keys = os.path.join(conf, 'keys')
        os.makedirs(keys, exist_ok=True)
        for word in text.replace('"', ' ').split():
            if word.startswith(('keys/', '/etc/camtrapd/keys/')):
                with open(os.path.join(keys, os.path.basename(word)), 'w') as f:
                    f.write('a secret of an example\n')
                os.chmod(f.name, 0o600)
        with open(os.path.join(conf, 'camtrapd.conf'), 'w') as f:
            f.write(text.replace('/etc/camtrapd/keys/', 'keys/'))
        os.chmod(f.name, 0o600)
        p = run(lab.tool('camtrapd'), '--check', '-c', f.name)
        same('the example configuration', (p.returncode, [x for x in p.stderr.splitlines() if 'warning' not in x]), (0, []))
        dump = run(lab.tool('camtrapd'), '--dump', '-c', f.name).stdout
        assert 'a secret of an example' not in dump, 'C4: --dump shows a secret'

        mibs = os.path.join(SHARED, 'ietf-mibs')
        if not os.path.isdir(mibs):
            skip('no ../shared/ietf-mibs')
        smi = os.path.join(lab.dir, 'smi.conf')
        with open(smi, 'w') as f:
            f.write(f'path {mibs}\n')
        for root in (None, '1.3.6.1.4.1.32473.7162'):
            mib = os.path.join(lab.dir, 'CAMTRAPD-MIB')
            with open(lab.conf, 'w') as f:
                f.write(f'agent = {{ name = "x"; {"mib_root = %s;" % json.dumps(root) if root else ""} }};\n')
            os.chmod(lab.conf, 0o600)
            with open(mib, 'w') as f:
                f.write(run(lab.tool('camtrapctl'), '-c', lab.conf, 'mib').stdout)
            same(f'smilint with root {root}', run('smilint', '-l', '6', '-m', '-s', '-c', smi, mib).stderr, '')
            p = run('snmptranslate', '-M', f'{mibs}:{lab.dir}', '-m', 'CAMTRAPD-MIB', '-Pw', '-On', 'CAMTRAPD-MIB::deviceDetected')
            warnings = [x for x in p.stderr.splitlines() if not x.endswith('parsed and ignored).')]	# SNMPv2-SMI's own macros
            same(f'snmptranslate with root {root}', (p.stdout.strip(), warnings),
                 (f'.{root or "1.3.6.1.4.1.8072.9999.9999.7162"}.0.1', []))
        shutil.copy(os.path.join(SOURCE, 'mibs', 'CAMTRAPD-MIB'), mib)
        p = run('snmpttconvertmib', f'--in={mib}', f'--out={lab.dir}/snmptt.conf', env={**os.environ, 'MIBDIRS': f'{mibs}:{lab.dir}'})
        events = [x.split()[1] for x in open(f'{lab.dir}/snmptt.conf') if x.startswith('EVENT ')]
        same('events snmptt knows', len(events), 14)


people(sys.argv[1])
main()
