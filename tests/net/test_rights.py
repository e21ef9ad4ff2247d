#!/usr/bin/env python3
"""Started as root: who each process is, what it holds and what it was told; roles that end, reloads that are refused, and what
systemd hears (H1, H2, H5, C2, C4; contract.md, Processes). Without and with the user _camtrapd, which exists only in a mount
namespace of this test."""
import atexit
import ctypes
import datetime
import grp
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from lab import SOURCE, Lab, Trapd, same, skip

USER = '_camtrapd'
ROLES = ('engine', 'notify', 'views', 'poller:0', 'poller:1')
POLL_SECRET, SEND_SECRET = 'Zq7-polls-the-campus', 'Xw9-tells-the-noc'


def exists(name):
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def make_user(lab):
    """In a namespace where it can be had, so that nothing stays behind whatever happens to this test."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = max(set(range(900, 999)) - {p.pw_uid for p in pwd.getpwall()} - {g.gr_gid for g in grp.getgrall()})
    lines = {'passwd': f'{USER}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n', 'group': f'{USER}:x:{number}:\n'}
    if libc.unshare(0x20000) == 0 and libc.mount(b'none', b'/', None, 0x44000, None) == 0:
        for name, line in lines.items():
            mine = os.path.join(lab.dir, name)
            with open(mine, 'w') as f:
                f.write(open('/etc/' + name).read() + line)
            os.chmod(mine, 0o644)
            if libc.mount(mine.encode(), b'/etc/' + name.encode(), None, 0x1000, None) != 0:
                raise OSError(ctypes.get_errno(), 'bind mount')
    else:
        subprocess.run(['useradd', '--system', '--user-group', '--no-create-home', USER], check=True, timeout=20)
        atexit.register(subprocess.run, ['userdel', USER], timeout=20)
    return exists(USER)


class Systemd:
    """The other end of sd_notify(3)."""

    def __init__(self):
        self.name = f'@camtrapd-test-{os.getpid()}-{time.monotonic_ns()}'
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind('\0' + self.name[1:])
        self.heard = []			# (when, line)
        self.env = {'NOTIFY_SOCKET': self.name, 'WATCHDOG_USEC': '3000000'}
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            now = self.socket.recv(4096).decode().split('\n')
            self.heard += [(time.monotonic(), line) for line in now]

    def lines(self, since=0.0):
        return [line for at, line in list(self.heard) if at >= since]

    def says(self, text, since=0.0):
        return [line for line in self.lines(since) if text in line]


def status_of(pid):
    return dict(line.rstrip('\n').split(':\t', 1) for line in open(f'/proc/{pid}/status') if ':\t' in line)


def descriptors(pid):
    """What a process holds: (path or "socket:family", flags)."""
    inodes = {}
    for family in ('udp', 'udp6', 'tcp', 'tcp6', 'packet', 'raw', 'netlink'):
        for line in open(f'/proc/{pid}/net/{family}').readlines()[1:]:
            inodes[line.split()[9 if family not in ('packet', 'netlink') else -1]] = family
    out = []
    for fd in os.listdir(f'/proc/{pid}/fd'):
        target = os.readlink(f'/proc/{pid}/fd/{fd}')
        flags = int(next(x for x in open(f'/proc/{pid}/fdinfo/{fd}') if x.startswith('flags:')).split()[1], 8)
        inode = target[8:-1] if target.startswith('socket:[') else None
        out.append((inodes.get(inode, 'socket') if inode else target, flags & os.O_ACCMODE))
    return out


def memory_has(pid, *words):
    """Which of the words a process has anywhere in its memory."""
    found = set()
    with open(f'/proc/{pid}/mem', 'rb') as mem:
        for line in open(f'/proc/{pid}/maps'):
            start, end = (int(x, 16) for x in line.split()[0].split('-'))
            if line.split()[1][0] != 'r' or '[v' in line:
                continue
            mem.seek(start)
            try:
                block = mem.read(end - start)
            except OSError:		# shrank meanwhile, or a device
                continue
            found |= {w for w in words if w.encode() in block}
    return found


def users_and_capabilities(lab, want):
    """`want`: role -> user number; None is the parent."""
    for role, uid in want.items():
        s = status_of(lab.processes['camtrapd'].pid if role is None else lab.pid_of(role))
        who = role or 'parent'
        same(f'H1: {who}: user', set(s['Uid'].split()), {str(uid)})
        if role is None and uid == 0:
            continue			# without the user it needs root to give rights away
        same(f'H1: {who}: capabilities', {int(s[k], 16) for k in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')}, {0})
        same(f'H1: {who}: no new privileges', s['NoNewPrivs'], '1')
        if role is not None:
            same(f'H1: {who}: system calls are filtered', s['Seccomp'], '2')


def what_each_role_holds(lab):
    """What a role must not have it was never handed: descriptors, and secrets anywhere in its memory."""
    for role, network, database, secrets in ((None, False, None, {POLL_SECRET, SEND_SECRET}), ('engine', False, os.O_RDWR, set()),
                                             ('poller:0', True, None, {POLL_SECRET}), ('poller:1', True, None, {POLL_SECRET}),
                                             ('notify', True, None, {SEND_SECRET}), ('views', False, os.O_RDONLY, set())):
        pid = lab.processes['camtrapd'].pid if role is None else lab.pid_of(role)
        held, who = descriptors(pid), role or 'parent'
        same(f'{who} has the network: {network}', any(re.match('udp|tcp|raw|packet|netlink', t) for t, _ in held), network)
        files = {f for t, f in held if t.endswith('camtrapd.db')}
        same(f'{who} has the database as', files, set() if database is None else {database})
        same(f'{who} has the secrets', memory_has(pid, POLL_SECRET, SEND_SECRET), secrets)
        for name in ('environ', 'cmdline'):
            text = open(f'/proc/{pid}/{name}').read()
            assert POLL_SECRET not in text and SEND_SECRET not in text, (who, name)
        if role is not None:
            same(f'{who} cannot speak to systemd', 'NOTIFY_SOCKET' in open(f'/proc/{pid}/environ').read(), False)


def pids(lab, *but):
    return {r: lab.pid_of(r) for r in ROLES if r not in but}


def roles_come_back(lab, systemd, noc):
    for role in ROLES:
        others, pid, killed = pids(lab, role), lab.pid_of(role), time.monotonic()
        os.kill(pid, signal.SIGKILL)
        lab.wait(lambda: lab.pid_of(role) not in (None, pid), 1, f'H2: {role} is not started again within 1 s')
        name = role.replace(':', ' ')
        lab.wait(lambda: f'{name} is back' in lab.log_text(), 10, f'{role} is not ready again')
        print(f'ok: H2: {role} killed, ready again after {1000 * (time.monotonic() - killed):.0f} ms')
        same(f'H2: nobody else went with {role}', pids(lab, role), others)
    for role in ('engine', 'poller 1', 'notify'):
        lab.wait(lambda: [e for e in noc.events('agentTrouble') if role in e['text']], 20, f'H2: no alarm for {role}')
    print('ok: H2: a role that ended is an alarm')


def limit(pid, user, *options):
    """prlimit(1) as the daemon's own user, who needs no right for it."""
    return subprocess.run(['prlimit', '--noheadings', '--raw', '-o', 'SOFT', f'--pid={pid}', *options], user=user.pw_uid,
                          group=user.pw_gid, extra_groups=[], check=True, capture_output=True, text=True, timeout=10).stdout.strip()


def shortages(lab, user):
    """The parent has no descriptor left, or may not fork: nothing else ends, and all is well when the shortage is over."""
    parent = lab.processes['camtrapd'].pid
    held = len(os.listdir(f'/proc/{parent}/fd'))
    for kind, value, error in (('nofile', held, 'Too many open files'), ('nproc', 1, 'Resource temporarily unavailable')):
        before, log, was = pids(lab), len(lab.log_text()), limit(parent, user, f'--{kind}')
        limit(parent, user, f'--{kind}={value}:')
        os.kill(before['poller:0'], signal.SIGKILL)
        lab.wait(lambda: f'poller 0 cannot be started: {error}' in lab.log_text()[log:], 5, f'no shortage of {kind}')
        same(f'nobody else goes for want of {kind}', pids(lab, 'poller:0'), {r: p for r, p in before.items() if r != 'poller:0'})
        limit(parent, user, f'--{kind}={was}:')
        lab.wait(lambda: 'poller 0 is back' in lab.log_text()[log:], 10, f'poller 0 is not back after the shortage of {kind}')
    ended = datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%S')
    lab.wait(lambda: all((s['lastPoll'] or '') > ended for s in lab.ctl('switches')['switches']), 20, 'not every switch is polled again')
    print('ok: a shortage in the parent ends nothing and is forgotten')


def crash_loop(lab, systemd):
    others, start = pids(lab, 'views'), time.monotonic()
    for _ in range(6):
        pid = lab.wait(lambda: lab.pid_of('views'), 5, 'views does not come back')
        os.kill(pid, signal.SIGKILL)
        lab.wait(lambda: lab.pid_of('views') != pid, 5, 'views does not end')
    lab.wait(lambda: systemd.says('STATUS=views keeps ending', start), 5, 'H2: a crash loop is not shown')
    assert re.search(r'error: views .* more than 5 times in a minute', lab.log_text()), lab.log_text()[-800:]
    same('H2: the others work on through a crash loop', pids(lab, 'views'), others)
    looping = time.monotonic()
    lab.wait(lambda: systemd.says('WATCHDOG=1', looping), 5, 'H2: a crash loop of one role must not end them all')
    lab.wait(lambda: lab.ctl('status', status=None), 10, 'views is not back')
    print('ok: H2: a crash loop backs off, is shown, and the others go on')


def watchdog(lab, systemd):
    since = time.monotonic()
    lab.wait(lambda: len(systemd.says('WATCHDOG=1', since)) >= 2, 6, 'H5: no watchdog')
    pid = lab.pid_of('poller:0')
    os.kill(pid, signal.SIGSTOP)
    time.sleep(2.2)			# the pings that were answered before, and one period
    quiet = time.monotonic()
    time.sleep(2.5)
    same('H5: no word to the watchdog while a role hangs', systemd.says('WATCHDOG=1', quiet), [])
    os.kill(pid, signal.SIGCONT)
    since = time.monotonic()
    lab.wait(lambda: systemd.says('WATCHDOG=1', since), 6, 'H5: no watchdog after the role went on')


def refused(lab, systemd, what, place):
    """SIGHUP; the reload must fail for `what` at `place`, and nothing may change."""
    before, switches = pids(lab), len(lab.ctl('switches')['switches'])
    since, log = time.monotonic(), len(lab.log_text())
    lab.processes['camtrapd'].send_signal(signal.SIGHUP)
    lab.wait(lambda: 'READY=1' in systemd.lines(since), 10, 'C2: a refused reload does not end')
    lines = [line for line in systemd.lines(since) if not line.startswith('WATCHDOG')]
    assert lines[0] == 'RELOADING=1' and lines[1].startswith('MONOTONIC_USEC='), lines
    for text in (lines[2], lab.log_text()[log:]):
        assert place in text and what in text and 'refused' in text, (place, what, text)
    same(f'C2: {what}: no process changed', pids(lab), before)
    same(f'C2: {what}: no switch changed', len(lab.ctl('switches')['switches']), switches)


def reloads(lab, systemd, user, key):
    good = open(conf_of(lab)).read()
    lines = good.split('\n')
    at = next(i for i, line in enumerate(lines) if line.startswith('switch_defaults')) + 1
    write_conf(lab, good.replace('poll_interval = "2s"', 'poll_intervall = "2s"'), user)
    refused(lab, systemd, 'poll_intervall', f'{conf_of(lab)}:{at}: ')
    os.kill(lab.pid_of('notify'), signal.SIGKILL)
    lab.wait(lambda: lab.log_text().count('notify is back') >= 2, 10, 'C2: a role does not come back after a refused reload')
    print('ok: C2: a role that ends after a refused reload comes back with the configuration in force')
    write_conf(lab, good, user)
    os.chown(key, 0, 0)
    refused(lab, systemd, 'Permission denied', key)
    os.chown(key, 0, user.pw_gid)
    write_conf(lab, good.replace(f'run_dir = "{lab.dir}/run"', f'run_dir = "{lab.dir}/elsewhere"'), user)
    since, before, count = time.monotonic(), pids(lab), lab.log_text().count('reloaded: ')
    os.kill(before['poller:1'], signal.SIGKILL)		# ends in the middle of it
    lab.processes['camtrapd'].send_signal(signal.SIGHUP)
    lab.wait(lambda: lab.log_text().count('reloaded: ') > count, 10, 'a good reload fails: key files are root:_camtrapd 0640')
    lab.wait(lambda: 'READY=1' in systemd.lines(since), 5, 'no READY=1 after a reload')
    lab.wait(lambda: lab.pid_of('poller:1') not in (None, before['poller:1']), 5, 'poller 1 is not back')
    same('C2: a reload restarts nobody', {r: p for r, p in pids(lab).items() if r != 'poller:1'},
         {r: p for r, p in before.items() if r != 'poller:1'})
    assert 'run_dir stays' in lab.log_text() and lab.ctl('status')
    print('ok: C2: a good reload is taken, what needs a restart stays and is said')
    write_conf(lab, good, user)


def conf_of(lab):
    """The daemon's; camtrapctl goes by the other one, which is never broken."""
    return os.path.join(lab.dir, 'daemon.conf')


def write_conf(lab, text, user=None):
    with open(conf_of(lab), 'w') as f:
        f.write(text)
    os.chmod(conf_of(lab), 0o640)
    os.chown(conf_of(lab), 0, user.pw_gid if user else 0)


def start(lab, binary, systemd):
    lab.start('camtrapd', [binary, '-c', conf_of(lab), '-f'], env=systemd.env)
    lab.wait(lambda: systemd.says('READY=1'), 30, 'no READY=1')
    lab.wait(lab.swept, 30, 'no first sweep')


def stop(lab, systemd):
    p = lab.processes.pop('camtrapd')
    p.terminate()
    same('exit', p.wait(15), 0)
    assert systemd.says('STOPPING=1'), systemd.lines()
    same('the control socket is gone', os.path.exists(f'{lab.dir}/run/control.sock'), False)


def refuses_to_start(lab, binary, code, *texts):
    p = subprocess.run([binary, '-c', conf_of(lab)], capture_output=True, text=True, timeout=20)
    assert p.returncode == code and all(t in p.stderr for t in texts), (p.returncode, texts, p.stderr)
    print(f'ok: does not start: {texts[0]}')


def main():
    build = sys.argv[1]
    if os.geteuid() != 0:
        skip('only root can show that root is given up')
    if not int(status_of(os.getpid())['CapEff'], 16) >> 19 & 1:
        skip('needs CAP_SYS_PTRACE to look into the processes')
    plain = os.path.join(build, 'plain', 'camtrapd')
    with Lab(build) as lab:
        binary = plain if os.path.exists(plain) else lab.tool('camtrapd')	# one with system call filters
        os.chmod(lab.dir, 0o711)
        noc, key = Trapd(lab, 'noc', conf=f'authCommunity log {SEND_SECRET}\n'), os.path.join(lab.dir, 'campus.key')
        with open(key, 'w') as f:
            f.write(POLL_SECRET + '\n')
        os.chmod(key, 0o640)
        shutil.copytree(os.path.join(SOURCE, 'conf', 'policy.d'), os.path.join(lab.dir, 'policy.d'))
        text = lab.campus(switches=12, hosts=5, cameras=2, seed=3, ageing=10, community=POLL_SECRET)
        text, n = re.subn(r'community = "[^"]*"', f'community_file = "{key}"', text)
        text = text.replace('credentials = (', f'credentials = ( {{ name = "alarm"; version = "2c"; community = "{SEND_SECRET}"; }},')
        assert n == 1 and SEND_SECRET in text, text[:300]
        lab.configure(text + 'switch_defaults = { poll_interval = "2s"; };\n', [lab.receiver(noc, 'alarm')])
        conf = open(lab.conf).read().replace(f'{SOURCE}/conf/', f'{lab.dir}/')

        if exists(USER) is None:
            write_conf(lab, conf)
            systemd = Systemd()
            start(lab, binary, systemd)
            assert f'no user {USER}' in lab.log_text()
            users_and_capabilities(lab, {None: 0, 'engine': 0, 'views': 0, 'notify': 65534, 'poller:0': 65534, 'poller:1': 65534})
            stop(lab, systemd)
            user = make_user(lab)
        else:
            user = exists(USER)

        write_conf(lab, conf, user)
        os.chown(key, 0, user.pw_gid)
        state = f'{lab.dir}/state'
        if os.path.isdir(state):		# root's, from above
            refuses_to_start(lab, binary, 1, f'{state}: user {user.pw_uid} cannot use it', f'chown -R {user.pw_uid}:{user.pw_gid} {state}')
            same('it stays its owner\'s', os.stat(state).st_uid, 0)
            shutil.rmtree(state)
            shutil.rmtree(f'{lab.dir}/run')
        os.chmod(key, 0o600)
        refuses_to_start(lab, binary, 78, f'{key}: Permission denied', f'{conf_of(lab)}:', f'root:{USER} 0640')
        os.chmod(key, 0o640)

        systemd = Systemd()
        start(lab, binary, systemd)
        same('what systemd shows', systemd.says('STATUS=')[-1], 'STATUS=12 switches, 1 receivers, 6 processes')
        for path, mode in ((state, 0o750), (f'{lab.dir}/run', 0o755), (f'{lab.dir}/run/control.sock', 0o660)):
            s = os.stat(path)
            same(path.removeprefix(lab.dir), (s.st_uid, s.st_gid, s.st_mode & 0o7777), (user.pw_uid, user.pw_gid, mode))
        users_and_capabilities(lab, {None: user.pw_uid, **{r: user.pw_uid for r in ROLES}})
        lab.devices()				# views opens the database at the first question
        what_each_role_holds(lab)
        roles_come_back(lab, systemd, noc)
        reloads(lab, systemd, user, key)
        shortages(lab, user)
        watchdog(lab, systemd)
        crash_loop(lab, systemd)
        stop(lab, systemd)


main()
