/* agent/cli/classify.h: `camtrapctl classify`: what would be said of a device with this MAC and these words. No daemon needed. */
#ifndef CAMTRAPD_CLI_CLASSIFY_H
#define CAMTRAPD_CLI_CLASSIFY_H
#include <stdbool.h>

/* argv[0] is "classify". `conf_path` NULL: the default file, or built-in defaults when there is none. The exit code:
 * 0 restricted, 1 not, 2 usage, 4 the configuration cannot be used. */
int	cmd_classify(int argc, char **argv, const char *conf_path, bool json);
#endif
