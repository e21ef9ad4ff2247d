/* agent/cli/mib.h: `camtrapctl mib`: CAMTRAPD-MIB with the configured root. */
#ifndef CAMTRAPD_CLI_MIB_H
#define CAMTRAPD_CLI_MIB_H
/* Prints the module to standard output. `root` is a dotted OID ("1.3.6.1.4.1.…"). 0; 2: not a root the module can have. */
int	cmd_mib(const char *root);
#endif
