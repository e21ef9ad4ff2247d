#!/usr/bin/env python3
"""The database and the whole program: broken while stopped (S3), of a newer version (S4), a second camtrapd on the folder, a folder
without the right to write."""
import glob
import os
import sqlite3
import subprocess
import sys
import time

from lab import Lab, Trapd, same

NOBODY = 65534


def stop(lab, name='camtrapd'):
    p = lab.processes[name]
    p.terminate()
    return p.wait(20)


def octets(path):
    """What the database and its WAL hold; an empty WAL holds nothing."""
    return {p: open(p, 'rb').read() for p in (path, path + '-wal') if os.path.exists(p) and os.path.getsize(p) > 0}


def second(lab, name, user=None):
    """A camtrapd of its own run_dir; its log is NAME.out."""
    run, conf = os.path.join(lab.dir, name + '.run'), os.path.join(lab.dir, name + '.conf')
    with open(conf, 'w') as f:
        f.write(open(lab.conf).read().replace(f'{lab.dir}/run', run))
    os.chmod(conf, 0o600)
    if user is not None:
        os.makedirs(run, exist_ok=True)
        os.chown(run, user, user)
        os.chown(conf, user, user)
    log = os.path.join(lab.dir, name + '.out')
    with open(log, 'ab') as out:
        lab.processes[name] = subprocess.Popen([lab.tool('camtrapd'), '-c', conf, '-f'], stdin=subprocess.DEVNULL, stdout=out,
                                               stderr=out, user=user)
    return lambda: open(log, errors='replace').read()


def broken(lab, noc, db):
    before = {d['mac'] for d in lab.devices()}
    epoch = noc.events()[-1]['eventEpoch']
    same('stop', stop(lab), 0)
    assert before, 'no stock'
    for file in octets(db):			# the WAL too, or it mends what it covers
        with open(file, 'r+b') as f:
            f.seek(4096)
            f.write(os.urandom(max(3 * 4096, os.path.getsize(file) - 4096)))
    lab.camtrapd()
    told = lab.wait(lambda: noc.events('agentTrouble'), 20, 'S3: the loss is not told')
    same('S3: what is told', told[0]['text'].startswith('state lost: the broken database was moved to '), True)
    moved = glob.glob(db + '.corrupt-*[0-9]')
    same('S3: one file moved aside', len(moved), 1)
    assert moved[0] in lab.log_text(), 'S3: the log does not name the file'
    assert f'{db}: ' in lab.log_text(), 'S3: the log does not say what is wrong'
    same('S3: another epoch', told[0]['eventEpoch'] != epoch and told[0]['eventEpoch'] > 0, True)
    lab.wait(lab.swept, 30, 'no sweep after the loss')
    lab.wait(lambda: {d['mac'] for d in lab.devices()} == before, 20, 'S3: the devices are not found again')
    print('ok: S3: the devices are found again')
    time.sleep(1)
    same('S3: the loss is told once', len(noc.events('agentTrouble')), 1)


def another(lab, db):
    log = second(lab, 'another')
    same('the second camtrapd ends', lab.processes.pop('another').wait(15), 1)
    assert 'another camtrapd uses this folder' in log(), 'it does not say why'
    same('the first goes on', bool(lab.devices()), True)
    same('nothing was moved', len(glob.glob(db + '.corrupt-*[0-9]')), 1)


def broken_under_us(lab, noc, db):
    """What a bad sector does: told as a failing disk, then judged by the next engine and moved aside; cameras come again."""
    before = {d['mac'] for d in lab.devices()}
    engine = lab.pid_of('engine')
    with sqlite3.connect(db) as c:		# the engine's own cache is out of date after this, so that it reads
        c.execute("INSERT OR REPLACE INTO meta VALUES ('x', x'00')")
    c.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    c.close()
    with open(db, 'r+b') as f:
        f.seek(4096)
        f.write(os.urandom(os.path.getsize(db) - 4096))
    lab.do('plug acc-002 7 44:19:b6:ee:00:01 vlan 20')
    lab.wait(lambda: '44:19:b6:ee:00:01' in [e['deviceMac'] for e in noc.events('deviceDetected')], 15,
             'S3: a camera is not told while the database is broken')
    lab.wait(lambda: any(e['text'].startswith('storage failed: ') for e in noc.events('agentTrouble')), 15, 'S3: it is not told')
    lab.wait(lambda: sum(e['text'].startswith('state lost: ') for e in noc.events('agentTrouble')) == 2, 30, 'S3: the loss is not told')
    same('S3: another engine', lab.pid_of('engine') != engine, True)
    lab.wait(lambda: (lab.ctl('devices', status=None) or {}).get('devices') is not None and
             {d['mac'] for d in lab.devices()} >= before, 20, 'S3: the devices are not found again')
    same('S3: moved aside', len(glob.glob(db + '.corrupt-*[0-9]')), 2)


def newer(lab, db):
    same('stop', stop(lab), 0)
    with sqlite3.connect(db) as c:
        c.execute('PRAGMA user_version = 99')
    c.close()
    before = octets(db)
    log = len(lab.log_text())
    p = lab.camtrapd()
    same('S4: exit status', p.wait(20), 78)
    assert 'newer camtrapd' in lab.log_text()[log:], 'S4: the log does not say why'
    same('S4: the files are as they were', octets(db) == before, True)


def no_rights(lab, db):
    """As another user, who may read the folder and not write to it: an error and nothing else, until the right is given."""
    state = os.path.dirname(db)
    os.chmod(lab.dir, 0o755)
    for p in glob.glob(state + '/*'):
        os.unlink(p)
    os.chmod(state, 0o755)
    if os.geteuid() != 0 or subprocess.run(['test', '-r', lab.tool('camtrapd'), '-a', '-r', __file__], user=NOBODY).returncode != 0:
        print('left out: no other user to be, or he cannot read the build')
        return
    log = second(lab, 'nobody', NOBODY)
    same('a folder that is not ours ends it', lab.processes.pop('nobody').wait(20), 1)
    assert f'{state}: user {NOBODY} cannot use it (Permission denied); put it right with: ' in log(), 'no clear error'
    same('nothing was made', os.listdir(state), [])
    os.chown(state, NOBODY, NOBODY)
    log = second(lab, 'nobody', NOBODY)
    lab.wait(lambda: 'ready: ' in log(), 30, 'the right given does not help')
    same('and now it is', os.path.exists(db), True)
    same('stop', stop(lab, 'nobody'), 0)


def main():
    with Lab(sys.argv[1]) as lab:
        db = os.path.join(lab.dir, 'state', 'camtrapd.db')
        noc = Trapd(lab, 'noc')
        text = lab.campus(switches=6, hosts=4, cameras=3, seed=11, ageing=10)
        lab.configure(text + 'switch_defaults = { poll_interval = "2s"; };\n', [lab.receiver(noc)])
        lab.camtrapd()
        lab.wait(lab.swept, 30, 'no first sweep')
        stock = [m for m, t in lab.truth().items() if t['restricted']]
        lab.wait(lambda: len(lab.devices()) == len(stock), 20, 'the stock is not found')
        lab.wait(lambda: noc.events('deviceDetected', 'summary'), 20, 'the stock is not told')
        broken(lab, noc, db)
        another(lab, db)
        broken_under_us(lab, noc, db)
        newer(lab, db)
        lab.processes.pop('camtrapd')		# its status 78 is what was wanted
        no_rights(lab, db)


main()
