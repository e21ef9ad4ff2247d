/* agent/cli/probe.h: `camtrapctl probe`: polls one switch once and shows what it says, and how it was understood. */
#ifndef CAMTRAPD_CLI_PROBE_H
#define CAMTRAPD_CLI_PROBE_H
#include <stdbool.h>

/* argv[0] is "probe"; then ADDRESS[:PORT] and options in any order. `conf_path` (may be NULL) is read only for --credential NAME.
 * `json`: as if --json were given. 0; 2 usage; 3 no answer; 5 partial. */
int	cmd_probe(int argc, char **argv, const char *conf_path, bool json);
#endif
