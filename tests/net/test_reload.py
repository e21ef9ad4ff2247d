#!/usr/bin/env python3
"""A reload and the receivers: who is defined as before keeps what is in flight, his socket and what is known of his engine; who is
changed is reached as the new configuration says, and each is told once. And one that answers when it was given up. Q1, Q6."""
import signal
import subprocess
import sys

from lab import Lab, Relay, Trapd, same

CREDENTIALS = '''credentials = ( { name = "two"; version = "2c"; community = "public"; },
  { name = "three"; version = "3"; user = "three"; auth = "SHA-256"; auth_secret = "auth secret three"; priv = "AES-128";
    priv_secret = "priv secret three"; } );
'''
USERS = 'createUser three SHA-256 "auth secret three" AES "priv secret three"\nauthUser log three priv\n'


def reload(lab, receivers):
    count = lab.log_text().count('reloaded: ')
    lab.configure(CREDENTIALS, receivers, pollers=1, heartbeat='"1h"')
    lab.processes['camtrapd'].send_signal(signal.SIGHUP)
    lab.wait(lambda: lab.log_text().count('reloaded: ') > count, 10, 'no reload')


def test(lab, name):
    same(f'test {name}', lab.ctl('test', name, status=None).get('result'), 'acknowledged')


def held_over_a_reload(lab, relay, name, receivers):
    """A test notification is in flight while the configuration is read again; the number of datagrams that it took, its end."""
    before, relay.held = len(relay.got), True
    p = subprocess.Popen([lab.tool('camtrapctl'), '-c', lab.conf, '--json', 'test', name], stdout=subprocess.PIPE, text=True)
    try:
        lab.wait(lambda: len(relay.got) > before, 10, f'nothing was sent to {name}')
        reload(lab, receivers)
        relay.held = False
        out, _ = p.communicate(timeout=30)
    finally:
        p.kill()
    return len(relay.got) - before, out


def state_of(lab, name):
    return next(r for r in lab.ctl('status')['outbox'] if r['receiver'] == name)


def late(lab, trapd, two, receivers):
    """Its answers come when it was given up: it is told again, with the same id and nothing else, until one is in time. A reload
    meanwhile does not make it well."""
    before = len(trapd.records())
    two.delay = 6
    answer = lab.ctl('test', 'two', status=None)
    same('Q6: two: its answer comes too late', answer['result'], 'timed out')
    same('Q6: two: down', state_of(lab, 'two')['state'], 'down')
    reload(lab, receivers)
    same('Q6: two: still down after a reload', state_of(lab, 'two')['state'], 'down')
    lab.wait(lambda: len(trapd.records()) >= before + 2, 15, 'two is not tried again')
    two.delay = 0
    lab.wait(lambda: state_of(lab, 'two')['queued'] == 0, 30, 'two: not delivered')
    ids = [r for r in trapd.records()[before:]]
    same('Q6: two: twice and more, with one id', (len(ids) >= 2, {answer['eventId'].encode().hex() in r for r in ids}), (True, {True}))
    same('Q6: two: up', state_of(lab, 'two')['state'], 'up')


def run(lab, trapd, two, three):
    def receiver(name, port, credential, more=''):
        return f'  {{ name = "{name}"; address = "127.0.0.1:{port}"; credential = "{credential}"; {more} }}'
    both = [receiver('two', two.port, 'two'), receiver('three', three.port, 'three')]
    lab.configure(CREDENTIALS, both, pollers=1, heartbeat='"1h"')
    lab.camtrapd()
    lab.wait(lambda: lab.ctl('status', status=None), 20, 'camtrapd does not answer')
    for name in ('two', 'three'):
        test(lab, name)
    from_two, from_three = two.got[-1][0], three.got[-1][0]

    # Others come before them, and go; they stay as they were. A v3 engine that is known is not asked for its id again.
    other = receiver('other', trapd.port, 'two')
    for name, relay, source in (('two', two, from_two), ('three', three, from_three)):
        sent, out = held_over_a_reload(lab, relay, name, [other, *both] if name == 'two' else both)
        same(f'{name}: acknowledged over a reload', '"acknowledged"' in out, True)
        same(f'{name}: sent once, over the same socket', (sent, relay.got[-1][0]), (1, source))
        before = len(relay.got)
        test(lab, name)
        same(f'{name}: one datagram after the reload too, over the same socket', (len(relay.got) - before, relay.got[-1][0]), (1, source))
    same('nothing timed out or was refused', [(r['timedOut'], r['refused'], r['queued']) for r in lab.ctl('status')['outbox']
                                              if r['receiver'] != 'other'], [(0, 0, 0)] * 2)

    # Who is changed is reached in the new way at once; the other is left alone.
    reload(lab, [receiver('two', two.port, 'two', 'source_address = "127.0.0.9";'), both[1]])
    for name in ('two', 'three'):
        test(lab, name)
    same('two: from its new source address', two.got[-1][0][0], '127.0.0.9')
    same('three: left alone', three.got[-1][0], from_three)
    # What is in flight to one that is changed is not lost: it goes out once more.
    nine = two.got[-1][0]
    held_over_a_reload(lab, two, 'two', both)
    lab.wait(lambda: next(r for r in lab.ctl('status')['outbox'] if r['receiver'] == 'two')['queued'] == 0, 20, 'two: not delivered')
    same('two: sent again over another socket', two.got[-1][0] not in (from_two, nine), True)
    late(lab, trapd, two, both)
    reload(lab, both[:1])
    answer = lab.ctl('test', 'three', status=None)
    same('three: no receiver any more', (answer or {}).get('result') in ('acknowledged', 'sent'), False)


def main():
    with Lab(sys.argv[1]) as lab:
        trapd = Trapd(lab, 'noc', conf='authCommunity log public\n' + USERS)
        two, three = Relay(trapd), Relay(trapd)
        try:
            run(lab, trapd, two, three)
        finally:
            two.end()
            three.end()


main()
