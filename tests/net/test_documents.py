#!/usr/bin/env python3
"""What ships beside the program holds: manual pages lint, the MIB lints and names what it should, the example configuration
checks, the schemas are schemas, scripts parse."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

import jsonschema

from lab import SHARED, SOURCE, Lab, same, skip


def run(*argv, **kw):
    return subprocess.run(argv, capture_output=True, text=True, **kw)


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


main()
