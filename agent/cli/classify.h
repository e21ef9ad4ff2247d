/* agent/cli/classify.h: `camtrapctl classify`: what would be said of a device with this MAC and these words. No daemon needed. */
#ifndef CAMTRAPD_CLI_CLASSIFY_H
#define CAMTRAPD_CLI_CLASSIFY_H
#include <stdbool.h>

#define CLASSIFY_ARGUMENTS "MAC [--lldp TEXT] [--med-maker T] [--med-model T]\n            [--dhcp-host T] [--dhcp-class T]"

/* argv[0] is for messages. `conf_path` NULL: the default file, or built-in defaults when there is none. The exit code:
 * 0 restricted, 1 not, 2 usage (it was said what is wrong), 4 the configuration cannot be used. */
int	cmd_classify(int argc, char **argv, const char *conf_path, bool json);
#endif
