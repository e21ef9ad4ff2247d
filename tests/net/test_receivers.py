#!/usr/bin/env python3
"""Receivers of the whole program: by literal address and by name, over IPv4 and IPv6, informs and traps of each version, each a
real snmptrapd. What cannot be reached or refuses is told with its reason, is kept, and delays nobody. Q1, Q4."""
import os
import re
import shutil
import subprocess
import sys
import time

from lab import Lab, Trapd, free_port, same

USERS = 'createUser {e}three SHA-256 "auth secret three" AES "priv secret three"\n' \
        'createUser {e}five SHA-512 "auth secret five" AES-256 "priv secret five"\nauthUser log three priv\nauthUser log five priv\n'
CREDENTIALS = '''credentials = (
  { name = "one"; version = "1"; community = "public"; }, { name = "two"; version = "2c"; community = "public"; },
  { name = "three"; version = "3"; user = "three"; auth = "SHA-256"; auth_secret = "auth secret three"; priv = "AES-128";
    priv_secret = "priv secret three"; },
  { name = "five"; version = "3"; user = "five"; auth = "SHA-512"; auth_secret = "auth secret five"; priv = "AES-256";
    priv_secret = "priv secret five"; },
  { name = "wrong"; version = "3"; user = "three"; auth = "SHA-256"; auth_secret = "not the secret"; priv = "AES-128";
    priv_secret = "not the secret"; } );
'''


def hosts_say(lab, moving):
    """`two.test` has a receiver at its second address only; `moving.test` is at the one given."""
    with open(os.path.join(lab.dir, 'hosts'), 'w') as f:
        f.write(f'::1 two.test\n127.0.0.1 two.test localhost\n{moving} moving.test\n')


def named_twice(lab):
    """What makes a program see a name with two addresses, of which only the second has a receiver; [] where that is not allowed."""
    hosts = os.path.join(lab.dir, 'hosts')
    hosts_say(lab, '127.0.0.9')
    enter = ['unshare', '-m' if os.geteuid() == 0 else '-rm', 'sh', '-c', f'mount --bind {hosts} /etc/hosts && exec "$@"', 'sh']
    try:
        p = subprocess.run(enter + ['getent', 'ahosts', 'two.test'], capture_output=True, text=True, timeout=20)
    except OSError:
        return []
    return enter if p.returncode == 0 and '::1' in p.stdout and '127.0.0.1' in p.stdout else []


def acknowledged(lab, name, want='acknowledged'):
    answer = lab.ctl('test', name, status=None)
    same(f'test {name}', answer.get('result'), want)
    return answer['eventId']


def received(lab, trapd, event_id):
    def there():
        try:
            return event_id in [e['eventId'] for e in trapd.events('heartbeat')]
        except (AssertionError, ValueError):
            return False        # a record that is just being written
    lab.wait(there, 10, f'{trapd.name} never saw {event_id}')


def status_of(lab, name):
    return next(r for r in lab.ctl('status')['outbox'] if r['receiver'] == name)


def main():
    with Lab(sys.argv[1]) as lab:
        public = 'authCommunity log public\n'
        four, six = Trapd(lab, 'four', conf=public + USERS.format(e='')), Trapd(lab, 'six', conf=public, transport='udp6:[::1]')
        old, strict = Trapd(lab, 'old', conf=public), Trapd(lab, 'strict', conf=USERS.format(e=''))
        trap_port, enter = free_port(), named_twice(lab)
        host = 'two.test' if enter else 'localhost'
        def receiver(name, address, credential, inform='true', more=''):
            return f'  {{ name = "{name}"; address = "{address}"; credential = "{credential}"; inform = {inform}; {more} }}'
        lab.configure(CREDENTIALS, [
            receiver('literal', f'127.0.0.1:{four.port}', 'two', more='source_address = "127.0.0.7";'),
            receiver('named', f'{host}:{four.port}', 'two'), receiver('named3', f'{host}:{four.port}', 'three'),
            receiver('sha512', f'127.0.0.1:{four.port}', 'five'), receiver('six', f'[::1]:{six.port}', 'two', more='source_address = "::1";'),
            receiver('trap1', f'127.0.0.1:{old.port}', 'one', 'false'), receiver('trap2', f'127.0.0.1:{trap_port}', 'two', 'false'),
            receiver('trap3', f'127.0.0.1:{trap_port}', 'three', 'false'), receiver('wrong', f'127.0.0.1:{strict.port}', 'wrong'),
            receiver('moving', f'{"moving.test" if enter else "127.0.0.1"}:{four.port}', 'three'), receiver('nowhere', 'no-such-name.invalid', 'two'), receiver('foreign', f'127.0.0.1:{four.port}', 'two', more='source_address = "192.0.2.1";')],
            pollers=1, heartbeat='"1h"')
        run = lambda: lab.start('camtrapd', enter + [lab.tool('camtrapd'), '-c', lab.conf, '-f'])
        run()
        status = lab.wait(lambda: lab.ctl('status', status=None), 20, 'camtrapd does not answer')
        engine = status['engineId']
        same('an engine id', bool(re.fullmatch('[0-9a-f]{10,64}', engine)), True)
        traps = Trapd(lab, 'traps', port=trap_port, conf=public + USERS.format(e=f'-e 0x{engine} '))

        # The very first delivery to a literal address and to a name is acknowledged.
        for name, trapd in (('literal', four), ('sha512', four), ('six', six)):
            received(lab, trapd, acknowledged(lab, name))
            r = status_of(lab, name)
            same(f'{name}: nothing timed out or was refused', (r['timedOut'], r['refused'], r['queued']), (0, 0, 0))
        # With two addresses the first answers nothing: the next one is used from then on.
        for name in ('named', 'named3'):
            received(lab, four, acknowledged(lab, name))
            r = status_of(lab, name)
            same(f'{name} at {host}: the other address was tried once', (r['timedOut'] <= (1 if enter else 0), r['queued']), (True, 0))
            received(lab, four, acknowledged(lab, name))
            same(f'{name}: no more than once', status_of(lab, name)['timedOut'], r['timedOut'])

        # Traps of version 2c and 3, before and after a restart of notify and of everything.
        for when in ('at first', 'after a restart of notify', 'after a restart of all'):
            for name in ('trap2', 'trap3'):
                received(lab, traps, acknowledged(lab, name, 'sent'))
            print('ok: traps', when)
            if when == 'at first':
                before = lab.pid_of('notify')
                os.kill(before, 9)
                lab.wait(lambda: lab.pid_of('notify') not in (None, before), 20, 'notify is not started again')
            elif when == 'after a restart of notify':
                lab.processes['camtrapd'].terminate()
                lab.processes['camtrapd'].wait(20)
                run()
                lab.wait(lambda: lab.ctl('status', status=None), 20, 'camtrapd does not answer')
                same('the engine id stays', lab.ctl('status')['engineId'], engine)
        # A version 1 trap has no snmpTrapOID: enterprise and number stand in its header.
        event = acknowledged(lab, 'trap1', 'sent').encode().hex(' ').upper()
        lab.wait(lambda: event in ' '.join(open(old.log, errors='replace').read().split()), 10, 'no version 1 trap arrived')
        same('the trap is of version 1', '.1.3.6.1.4.1.8072.9999.9999.7162 Enterprise Specific Trap (12)' in open(old.log).read(), True)

        # A receiver that got another address: its name is looked up again when it does not acknowledge.
        if enter:
            lab.wait(lambda: status_of(lab, 'moving')['timedOut'] > 0, 15, 'moving.test was not tried')
            same('moving.test: kept while nobody is there', status_of(lab, 'moving')['delivered'], 0)
            hosts_say(lab, '127.0.0.1')
            lab.wait(lambda: status_of(lab, 'moving')['queued'] == 0, 60, 'the new address of moving.test is not found')
            same('moving.test: told at its new address', status_of(lab, 'moving')['delivered'] > 0, True)
        else:
            print('not tested here: no mount namespace of our own for /etc/hosts')

        # What cannot be told is kept, with its reason in the log.
        for name, reason, state in (('wrong', 'wrong digest', 'refused'), ('nowhere', 'no-such-name.invalid: ', 'down'),
                                    ('foreign', 'not an address of this machine', 'down')):
            answer = lab.ctl('test', name, status=None)
            assert answer['result'] not in ('acknowledged', 'sent'), answer
            r = status_of(lab, name)
            same(f'{name}: kept', r['queued'] >= 1, True)
            same(f'{name}: its state', r['state'], state)
            line = next((x for x in lab.log_text().splitlines() if f'receiver {name} ' in x and reason in x), None)
            assert line, (name, lab.log_text()[-3000:])
            print('ok:', line)
            begun = time.monotonic()
            received(lab, four, acknowledged(lab, 'literal'))
            same('Q4: the others are not delayed', time.monotonic() - begun < 3, True)
        same('wrong: counted as refused', status_of(lab, 'wrong')['refused'] > 0, True)
        same('C5: status names what is weak', [(c['name'], c['why']) for c in lab.ctl('status')['credentials'] if c['weak']],
             [('one', 'version 1'), ('two', 'version 2c')])
        for secret in ('auth secret', 'priv secret', 'not the secret'):
            assert secret not in lab.log_text(), 'C4: a secret stands in the log'


main()
