/* agent/cli/probe.h: `camtrapctl probe`: polls one switch once and shows what it says, and how it was understood. */
#ifndef CAMTRAPD_CLI_PROBE_H
#define CAMTRAPD_CLI_PROBE_H
#include <stdbool.h>

#define PROBE_ARGUMENTS "ADDRESS[:PORT] [--community C | --community-file FILE | --credential NAME]\n" \
	"            [--timeout S] [--vlans N,M] [--record FILE]"

/* argv[0] is for messages; then ADDRESS[:PORT] and options in any order. `conf_path` (may be NULL) is read only for --credential NAME.
 * `json`: as if --json were given. 0; 2 usage (it was said what is wrong); 3 no answer; 4 the configuration or a file cannot be used;
 * 5 partial, or the time was up. */
int	cmd_probe(int argc, char **argv, const char *conf_path, bool json);
#endif
