"""A laboratory for whole-program tests: the emulated campus or recordings, camtrapd, real snmptrapds, camtrapctl. Loopback
only, everything in a folder of its own, everything ended on the way out."""
import json
import os
import pwd
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import jsonschema

SOURCE = os.path.realpath(os.path.join(os.path.dirname(__file__), '..', '..'))
SHARED = os.environ.get('CAMTRAPD_SHARED', os.path.join(SOURCE, '..', 'shared'))

# The objects of a notification in the order of CAMTRAPD-MIB (contract.md); integers are printed as numbers.
DEVICE = ['eventId', 'eventSequence', 'eventEpoch', 'agentName', 'eventTime', 'detectionId', 'deviceMac', 'deviceVendor',
          'devicePolicy', 'confidence', 'severity', 'presence', 'handling', 'origin', 'siteName', 'switchName', 'switchLocation',
          'switchAddressType', 'switchAddress', 'ifIndex', 'portName', 'portAlias', 'vlanId', 'deviceAddressType',
          'deviceAddress', 'locationVerdict', 'locationReason', 'evidence']
OTHER = ['eventId', 'eventSequence', 'eventEpoch', 'agentName', 'eventTime', 'severity', 'siteName', 'switchName',
         'switchLocation', 'switchAddressType', 'switchAddress', 'count', 'text']
TYPES = ['', 'deviceDetected', 'deviceMoved', 'deviceGone', 'deviceReturned', 'deviceChanged', 'deviceHandled',
         'conflictDetected', 'macFlood', 'summary', 'switchUnreachable', 'switchReachable', 'heartbeat', 'agentTrouble',
         'agentRecovered']
NUMBERS = {'eventSequence', 'eventEpoch', 'detectionId', 'confidence', 'severity', 'presence', 'handling', 'origin', 'ifIndex',
           'vlanId', 'locationVerdict', 'count', 'switchAddressType', 'deviceAddressType'}
BINARY = {'eventTime', 'deviceMac', 'switchAddress', 'deviceAddress'}
ROOT = '.1.3.6.1.4.1.8072.9999.9999.7162'


def skip(why):
    """77 is ctest's SKIP_RETURN_CODE; in CI nothing may be skipped."""
    print('SKIPPED:', why)
    sys.exit(1 if os.environ.get('CI') == 'true' else 77)


def free_port(kind=socket.SOCK_DGRAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def value_of(name, text):
    text = text.partition(' = ')[2].partition(': ')[2] if ': ' in text.partition(' = ')[2] else ''
    if name in NUMBERS:
        return int(re.search(r'-?\d+', text).group())
    raw = bytes.fromhex(re.sub(r'[^0-9A-Fa-f]', '', text))
    if name == 'deviceMac':
        return ':'.join('%02x' % b for b in raw)
    if name in ('switchAddress', 'deviceAddress'):
        return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw) if raw else ''
    return raw.hex() if name in BINARY else raw.decode('utf-8', 'replace')


def record_of(text):
    """One notification as snmptrapd wrote it; None: not all of it is there yet."""
    vbs = [v.replace('\n', ' ') for v in text.split('~~~')]
    trap = next((v for v in vbs if v.startswith('.1.3.6.1.6.3.1.1.4.1.0')), '')
    if not text.endswith('\n') or not trap:
        return None
    number = int(trap.rpartition('.')[2].strip())
    assert ROOT + '.0.' in trap, trap
    names = DEVICE if number <= 7 else OTHER		# macFlood (8) counts devices, it is about none
    if len(vbs) < len(names) + 2:
        return None
    assert len(vbs) == len(names) + 2, (len(vbs), text)
    return {'type': TYPES[number], **{n: value_of(n, v) for n, v in zip(names, vbs[2:])}}


class Trapd:
    """A real snmptrapd that writes what it acknowledged to a file."""

    def __init__(self, lab, name, port=None, conf='authCommunity log public\n', transport='udp:127.0.0.1'):
        self.port, self.name, self.all, self.read = port or free_port(), name, [], 0
        self.log, folder = os.path.join(lab.dir, name + '.log'), os.path.join(lab.dir, name + '.d')
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, 'trapd.conf'), 'w') as f:
            f.write(conf + 'disableAuthorization no\nformat2 @@@ %V~~~%v\\n\n')
        self.process = lab.start(name, ['snmptrapd', '-f', '-C', '-c', f.name, '-m', '', '-Onxe', '-Lf', self.log,
                                        f'{transport}:{self.port}'], env={'SNMP_PERSISTENT_DIR': folder, 'MIBS': ''})
        lab.wait(lambda: os.path.exists(self.log) and 'NET-SNMP' in open(self.log, errors='replace').read(), 10,
                 f'{name} does not start')

    def records(self):
        """All that was received, sent again or not: as hexadecimal digits without blanks."""
        return [re.sub(r'\s', '', r).lower() for r in open(self.log, errors='replace').read().split('@@@ ')[1:]]

    def received(self):
        """All notifications in order of arrival, as dictionaries; what came twice is there twice. Only what is new is read."""
        with open(self.log, 'rb') as f:
            f.seek(self.read)
            before, *records = f.read().split(b'@@@ ')
        for i, raw in enumerate(records):
            e = record_of(raw.decode('utf-8', 'replace'))
            if e is None:			# still being written
                assert i == len(records) - 1, raw
                break
            self.read += (len(before) if i == 0 else 0) + 4 + len(raw)
            self.all.append(e)
        return self.all

    def events(self, *types):
        """All notifications received, in order; those sent twice (same id) once."""
        out, seen = [], set()
        for e in self.received():
            if e['eventId'] not in seen and (not types or e['type'] in types):
                out.append(e)
            seen.add(e['eventId'])
        return out


class Relay:
    """Stands before an snmptrapd and notes what comes from whom. While `held` it passes nothing on; answers go back after `delay`."""

    def __init__(self, trapd, delay=0):
        self.front, self.got, self.held, self.kept, self.ended = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), [], False, [], False
        self.front.bind(('127.0.0.1', 0))
        self.name, self.delay, self.answers = trapd.name, delay, []
        self.port, self.to, self.back = self.front.getsockname()[1], ('127.0.0.1', trapd.port), {}
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ended:
            ready, _, _ = select.select([self.front, *self.back.values()], [], [], 0.05)
            for s in ready:
                data, whom = s.recvfrom(65535)
                if s is self.front:
                    self.got.append((whom, data))
                    self.kept.append((whom, data))
                else:
                    self.answers.append((time.monotonic() + self.delay, data, next(w for w, b in self.back.items() if b is s)))
            while self.kept and not self.held:
                whom, data = self.kept.pop(0)
                if whom not in self.back:
                    self.back[whom] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self.back[whom].sendto(data, self.to)
            while self.answers and self.answers[0][0] <= time.monotonic():
                _, data, whom = self.answers.pop(0)
                self.front.sendto(data, whom)

    def end(self):
        self.ended = True
        self.thread.join()
        for s in (self.front, *self.back.values()):
            s.close()


class Lab:
    def __init__(self, build):
        self.build, self.dir, self.processes = build, tempfile.mkdtemp(prefix='camtrapd-lab-'), {}
        self.conf = os.path.join(self.dir, 'camtrapd.conf')
        self.failed = True

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for p in reversed(list(self.processes.values())):
            if p.poll() is None:
                p.send_signal(signal.SIGCONT)
                p.terminate()
        for name, p in self.processes.items():
            try:
                p.wait(15)
            except subprocess.TimeoutExpired:
                print(f'{name} does not end: killed')
                p.kill()
                p.wait()
        if kind is not None:
            for name in self.processes:
                log = os.path.join(self.dir, name + '.out')
                print(f'---- {name}\n' + ''.join(open(log, errors='replace').readlines()[-40:]))
        if kind is not None and os.environ.get('CAMTRAPD_LAB_KEEP') == '1':
            print('kept:', self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def tool(self, name):
        for folder in (self.build, os.path.join(self.build, 'tests', 'sim')):
            if os.path.exists(os.path.join(folder, name)):
                return os.path.join(folder, name)
        raise SystemExit(f'{name} is not built in {self.build}')

    def tool_for_all(self, name):
        """A copy that other users may run, wherever the build stands."""
        folder = os.path.join(self.dir, 'tools')
        os.chmod(self.dir, os.stat(self.dir).st_mode | 0o111)
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        return shutil.copy(self.tool(name), folder)

    def start(self, name, argv, env=None):
        out = open(os.path.join(self.dir, name + '.out'), 'ab')
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **(env or {})})
        self.processes[name] = p
        return p

    def wait(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got = condition()
            if got:
                return got
            for name, p in self.processes.items():
                if p.poll() not in (None, 0, -signal.SIGTERM):
                    raise AssertionError(f'{name} ended with {p.returncode}')
            time.sleep(0.1)
        raise AssertionError(f'{what} (waited {seconds} s)')

    # -- the emulated campus
    def campus(self, *options, port=None, **kw):
        self.campus_port = port or free_port()
        control, ready = os.path.join(self.dir, 'campus.sock'), os.path.join(self.dir, 'campus.out')
        argv = [self.tool('campus'), '--port', str(self.campus_port), '--control', control, '--config',
                os.path.join(self.dir, 'campus.conf')]
        for k, v in kw.items():
            argv += [f'--{k}', str(v)]
        self.start('campus', argv + list(options))
        self.wait(lambda: os.path.exists(ready) and 'ready' in open(ready).read(), 20, 'the campus does not start')
        return open(os.path.join(self.dir, 'campus.conf')).read()

    def do(self, command):
        """One command of the campus; its lines but the last ("ok …")."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.connect(os.path.join(self.dir, 'campus.sock'))
            s.sendall(command.encode() + b'\n')
            text = b''
            while not re.search(rb'^(ok|error).*\n', text, re.M):
                more = s.recv(65536)
                if not more:
                    break
                text += more
        lines = text.decode().splitlines()
        assert lines and lines[-1].startswith('ok'), (command, lines[-1:])
        return lines[:-1]

    def truth(self):
        return {t['mac']: t for t in map(json.loads, self.do('truth'))}

    # -- camtrapd
    def configure(self, rest, receivers=(), agent='', **agent_keys):
        keys = {'name': '"lab"', 'state_dir': f'"{self.dir}/state"', 'run_dir': f'"{self.dir}/run"', 'pollers': 2, **agent_keys}
        text = 'agent = { ' + ' '.join(f'{k} = {v};' for k, v in keys.items()) + ' };\n' + rest
        text += f'policy = [ "{SOURCE}/conf/policy.d/uk-2022.conf", "{SOURCE}/conf/policy.d/us-ndaa-889.conf" ];\n'
        text += 'receivers = (\n' + ',\n'.join(receivers) + ' );\n'
        with open(self.conf, 'w') as f:
            f.write(text)
        os.chmod(self.conf, 0o600)
        self.give_to_service_user()

    def give_to_service_user(self):
        """On a machine that has the service user, a daemon started by root becomes it."""
        try:
            user = pwd.getpwnam('_camtrapd')
        except KeyError:
            return
        if os.geteuid() == 0:
            os.chmod(self.dir, 0o711)
            for name in ('state', 'run'):
                os.makedirs(os.path.join(self.dir, name), exist_ok=True)
                os.chown(os.path.join(self.dir, name), user.pw_uid, user.pw_gid)
            os.chown(self.conf, user.pw_uid, user.pw_gid)

    def receiver(self, trapd, credential='campus', inform='true', address=None):
        return f'  {{ name = "{trapd.name}"; type = "snmp"; address = "{address or "127.0.0.1"}:{trapd.port}"; ' \
               f'credential = "{credential}"; inform = {inform}; }}'

    def camtrapd(self, plain=False):
        """`plain`: the one that is built without a sanitizer, where there is one; several times as fast."""
        binary = os.path.join(self.build, 'plain', 'camtrapd')
        return self.start('camtrapd', [binary if plain and os.path.exists(binary) else self.tool('camtrapd'), '-c', self.conf, '-f'])

    def log_text(self):
        return open(os.path.join(self.dir, 'camtrapd.out'), errors='replace').read()

    def ctl(self, *words, status=(0, 1), timeout=90, schema=True):
        """The document of a command; `schema` False: not held against its schema, which takes long where it is large."""
        p = subprocess.run([self.tool('camtrapctl'), '-c', self.conf, '--json', *words], capture_output=True, text=True,
                           timeout=timeout)
        if status is not None:
            assert p.returncode in status, (words, p.returncode, p.stderr, p.stdout[:300])
        try:
            document = json.loads(p.stdout)
        except ValueError:
            return None
        if schema and 'error' not in document:
            with open(os.path.join(SOURCE, 'doc', 'schema', words[0] + '.schema.json')) as f:
                jsonschema.validate(document, json.load(f))
        return document

    def swept(self):
        """True when every switch was polled once."""
        s = self.ctl('status', status=None)
        return s and s.get('firstSweep') and s['firstSweep']['done'] >= s['firstSweep']['total'] > 0 and s

    def pid_of(self, role):
        """The process of a role, by its command line."""
        out = subprocess.run(['pgrep', '-P', str(self.processes['camtrapd'].pid), '-f', '--', f'--role {role}'], capture_output=True,
                             text=True).stdout.split()
        return int(out[0]) if out else None

    def kids(self):
        return list(map(int, subprocess.run(['pgrep', '-P', str(self.processes['camtrapd'].pid)], capture_output=True,
                                            text=True).stdout.split()))

    def devices(self, *filters):
        return self.ctl('devices', *filters)['devices']


def same(what, got, want):
    assert got == want, f'{what}:\n  got  {got}\n  want {want}'
    print(f'ok: {what}')
