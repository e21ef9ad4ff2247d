#!/usr/bin/env python3
"""A real Nagios runs check_camtrapd with the command that README shows, and a real Icinga 2 takes README's objects: what they make of
state, text, further lines and performance data is what was meant."""
import grp
import os
import pwd
import re
import shutil
import subprocess
import sys

from lab import SOURCE, Lab, Trapd, same, skip

OBJECTS = {'timeperiod': 'timeperiod_name always; alias always; sunday 00:00-24:00; monday 00:00-24:00; tuesday 00:00-24:00; wednesday 00:00-24:00; '
                         'thursday 00:00-24:00; friday 00:00-24:00; saturday 00:00-24:00',
           'command': 'command_name nothing; command_line /bin/true',
           'contact': 'contact_name nobody; host_notifications_enabled 0; service_notifications_enabled 0; host_notification_period always; '
                      'service_notification_period always; host_notification_commands nothing; service_notification_commands nothing',
           'host': 'host_name noc-1; check_command nothing; max_check_attempts 1; check_period always; contacts nobody',
           'service': 'name generic-service; register 0; max_check_attempts 1; check_interval 1; retry_interval 1; check_period always; contacts nobody'}
MAIN = '''log_file={d}/log
cfg_file={d}/objects.cfg
object_cache_file={d}/objects.cache
status_file={d}/status
status_update_interval=1
nagios_user={user}
nagios_group={group}
command_file={d}/command
query_socket={d}/query
lock_file={d}/lock
temp_file={d}/temp
temp_path={d}
check_result_path={d}/results
state_retention_file={d}/retention
service_inter_check_delay_method=n
max_service_check_spread=1
interval_length=5
'''
MODES = ('alive', 'present', 'new', 'staleness', 'outbox')


def define(kind, text):
    return f'define {kind} {{\n' + text.replace('; ', '\n') + '\n}\n'


def block(heading):
    return re.search(rf'{heading}:\n\n((?:(?:    .*)?\n)+?)\n(?=\S)', open(os.path.join(SOURCE, 'README.md')).read()).group(1)


def services(lab, folder):
    """What Nagios knows of each service once all were checked; None until then."""
    path = os.path.join(folder, 'status')
    text = open(path, errors='replace').read() if os.path.exists(path) else ''
    found = [dict(x.strip().partition('=')[::2] for x in one.splitlines() if '=' in x) for one in
             re.findall(r'servicestatus \{\n(.*?)\n\t\}', text, re.S)]
    return found and all(x['has_been_checked'] == '1' for x in found) and {x['service_description']: x for x in found}


def nagios(lab, program):
    folder = os.path.join(lab.dir, 'nagios')
    os.makedirs(os.path.join(folder, 'results'))
    readme = block('For Nagios').replace('/usr/lib/nagios/plugins/check_camtrapd', f'{lab.tool("check_camtrapd")} --config {lab.conf}')
    text = ''.join(define(k, v) for k, v in OBJECTS.items()) + readme
    text += ''.join(define('service', f'use generic-service; host_name noc-1; service_description {m}; check_command check_camtrapd!{m}!-v') for m in MODES)
    text += define('service', 'use generic-service; host_name noc-1; service_description bare; check_command check_camtrapd!alive')
    text += define('service', 'use generic-service; host_name noc-1; service_description ranges; check_command check_camtrapd!present!-w 0 -c 10')
    with open(os.path.join(folder, 'objects.cfg'), 'w') as f:
        f.write(text)
    with open(os.path.join(folder, 'main.cfg'), 'w') as f:
        f.write(MAIN.format(d=folder, user=os.geteuid(), group=os.getegid()))
    lab.start('nagios', [program, f.name])
    got = lab.wait(lambda: services(lab, folder), 40, 'Nagios has not checked all services')
    for name, s in sorted(got.items()):
        print(f'    {name}: {s["plugin_output"]} | {s["performance_data"]}')
    same('states', {k: v['current_state'] for k, v in got.items()}, {'alive': '0', 'bare': '0', 'present': '2', 'new': '2', 'staleness': '0', 'outbox': '0',
                                                                     'ranges': '1', 'Restricted cameras hq': '2'})
    same('performance data', got['new']['performance_data'], 'new=1;;0;0 gone=0')
    lines = got['present']['long_plugin_output'].split('\\n')
    same('devices, a line each', (len(lines), all(' Hikvision at acc-' in x or ' Dahua at acc-' in x for x in lines)), (5, True))


def icinga(lab, program):
    folder = os.path.join(lab.dir, 'icinga')
    os.makedirs(folder)
    conf = os.path.join(folder, 'readme.conf')
    with open(conf, 'w') as f:
        f.write(f'const NodeName = "noc-1"\nconst PluginDir = "{lab.build}"\ninclude <itl>\n'
                'object CheckerComponent "checker" { }\nobject Host "noc-1" { check_command = "dummy" }\n' + block('For Icinga 2'))
    argv = [program, 'daemon', '-C', '-c', conf] + [f'-D{x}={folder}' for x in ('DataDir', 'CacheDir', 'InitRunDir', 'LogDir', 'SpoolDir', 'ConfigDir')]
    p = subprocess.run(argv + [f'-DRunAsUser={pwd.getpwuid(os.geteuid()).pw_name}',
                               f'-DRunAsGroup={grp.getgrgid(os.getegid()).gr_name}'], capture_output=True, text=True, timeout=60)
    if p.returncode != 0:
        print(p.stdout, p.stderr)
    same('Icinga 2 takes the objects', (p.returncode, 'Instantiated 5 Services' in p.stdout), (0, True))


def main():
    path = os.environ['PATH'] + ':/usr/sbin:/usr/local/sbin'
    programs = {x: shutil.which(x, path=path) for x in ('nagios4', 'icinga2')}
    if not all(programs.values()):
        skip('not installed: ' + ', '.join(x for x in programs if not programs[x]))
    with Lab(sys.argv[1]) as lab:
        noc = Trapd(lab, 'noc')
        text = lab.campus(switches=8, hosts=6, cameras=4, seed=3, ageing=10)
        lab.configure(text + 'switch_defaults = { poll_interval = "10s"; };\n', [lab.receiver(noc)])
        lab.camtrapd()
        lab.wait(lab.swept, 60, 'no first sweep')
        lab.do('plug acc-002 9 44:19:b6:aa:00:01 vlan 20')
        lab.wait(lambda: len(lab.devices()) == 5 and noc.events('deviceDetected'), 40, 'the cameras are not found')
        for name, run in (('nagios4', nagios), ('icinga2', icinga)):
            run(lab, programs[name])


main()
