#!/usr/bin/env python3
"""S2 with a real disk that is full: a small tmpfs in a mount namespace of our own. Cameras are told, and so is the disk; notify is
killed meanwhile; with room again all is on disk and nothing is told twice."""
import os
import pwd
import signal
import sqlite3
import subprocess
import sys
import time

from lab import Lab, Trapd, same, skip

CAMERA = '44:19:b6:dd:00:%02x'


def owner():
    """Who the daemon becomes when it is started by root: the folder has to be his."""
    try:
        user = pwd.getpwnam('_camtrapd')
    except KeyError:
        return ''
    return f',uid={user.pw_uid},gid={user.pw_gid}' if os.geteuid() == 0 else ''


def small_disk(lab, folder):
    """A process that holds the namespace with the small disk, and what starts others in it; None where that is not allowed."""
    own = [] if os.geteuid() == 0 else ['-r']
    script = f'mount -t tmpfs -o size=2m,mode=0750{owner()} none {folder} && echo ready && exec sleep 600'
    try:
        p = subprocess.Popen(['unshare', '-m', *own, 'sh', '-c', script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return None
    if p.stdout.readline() != 'ready\n':
        p.wait()
        return None
    lab.processes['disk'] = p
    open(os.path.join(lab.dir, 'disk.out'), 'a').close()
    return ['nsenter', f'--mount=/proc/{p.pid}/ns/mnt', *([] if os.geteuid() == 0 else ['-U', '--preserve-credentials', '-t', str(p.pid)])]


def inside(enter, *command):
    return subprocess.run([*enter, *command], capture_output=True, text=True, timeout=20)


def plug(lab, n):
    lab.do(f'plug acc-00{n % 4 + 2} {7 + n // 4} {CAMERA % n} vlan 20')


def told(lab, receivers, n, what, seconds=20):
    for r in receivers:
        lab.wait(lambda: CAMERA % n in [e['deviceMac'] for e in r.events('deviceDetected')], seconds, f'S2: {r.name} is not told {what}')
    print(f'ok: S2: a camera is told {what}')


def full(lab, enter, folder, receivers):
    # A file takes all that is left, but what the database itself has already.
    inside(enter, 'sh', '-c', f'cat /dev/zero > {folder}/fill')
    same('the disk is full', int(inside(enter, 'stat', '-f', '-c', '%a', folder).stdout), 0)
    for n in (1, 2):
        plug(lab, n)
        told(lab, receivers, n, 'while the disk is full')
    for r in receivers:
        lab.wait(lambda: r.events('agentTrouble'), 10, f'S2: {r.name} is not told of the disk')
        same(f'S2: what {r.name} is told', r.events('agentTrouble')[0]['text'].startswith('storage failed: '), True)
    status = lab.ctl('status')
    same('S2: status says so', (status['store'], status['counters']['eventsInMemory'] > 0), ('failing', True))
    pid = lab.pid_of('notify')
    os.kill(pid, signal.SIGKILL)
    lab.wait(lambda: lab.pid_of('notify') not in (None, pid), 10, 'notify is not back')
    plug(lab, 3)
    told(lab, receivers, 3, 'by a notify that began while the disk is full')


def room(lab, enter, folder, receivers):
    inside(enter, 'rm', f'{folder}/fill')
    lab.wait(lambda: lab.ctl('status')['store'] == 'ok', 20, 'S2: it does not recover')
    for r in receivers:
        lab.wait(lambda: [e for e in r.events('agentRecovered') if e['text'].startswith('storage works again')], 20,
                 f'S2: {r.name} is not told of the end')
    same('S2: nothing waits in memory', lab.ctl('status')['counters']['eventsInMemory'], 0)
    print('ok: S2: recovered without a restart')


def after(lab, enter, folder, receivers, start):
    before = [len(r.records()) for r in receivers]
    p = lab.processes['camtrapd']
    p.terminate()
    same('stop', p.wait(20), 0)
    copy = os.path.join(lab.dir, 'copy.db')
    for tail in ('', '-wal'):
        with open(copy + tail, 'wb') as f:
            f.write(subprocess.run([*enter, 'sh', '-c', f'cat {folder}/camtrapd.db{tail} 2>/dev/null || true'], capture_output=True).stdout)
    with sqlite3.connect(copy) as db:
        same('S2: the database is sound', db.execute('PRAGMA integrity_check').fetchone()[0], 'ok')
        logged = {i for (i,) in db.execute('SELECT id FROM event')}
        same('S2: nothing is owed to a receiver', db.execute('SELECT count(*) FROM outbox').fetchone()[0], 0)
    db.close()
    for r in receivers:
        same(f'S2: what {r.name} was told is in the log', {e['eventId'] for e in r.events() if e['type'] != 'heartbeat'} - logged, set())
    start()
    lab.wait(lab.swept, 30, 'no sweep after the restart')
    time.sleep(3)
    for r, n in zip(receivers, before):
        same(f'S2: {r.name} is told nothing again', [e['type'] for e in r.events()[len(r.events()) - (len(r.records()) - n):]
                                                 if e['type'] != 'heartbeat'], [])


def main():
    with Lab(sys.argv[1]) as lab:
        folder = os.path.join(lab.dir, 'state')
        os.makedirs(folder, exist_ok=True)
        receivers = [Trapd(lab, 'noc'), Trapd(lab, 'second')]
        text = lab.campus(switches=8, hosts=5, cameras=0, seed=5, ageing=10)
        lab.configure(text + 'switch_defaults = { poll_interval = "2s"; };\n', [lab.receiver(r) for r in receivers])
        enter = small_disk(lab, folder)
        if enter is None:
            skip('no mount namespace of our own is allowed here')

        def start():
            lab.start('camtrapd', [*enter, lab.tool('camtrapd'), '-c', lab.conf, '-f'])
        start()
        lab.wait(lab.swept, 60, 'no first sweep')
        plug(lab, 0)
        told(lab, receivers, 0, 'while all is well')
        full(lab, enter, folder, receivers)
        room(lab, enter, folder, receivers)
        after(lab, enter, folder, receivers, start)


main()
