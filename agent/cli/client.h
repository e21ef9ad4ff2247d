/* agent/cli/client.h: asks the daemon one question over its control socket. */
#ifndef CAMTRAPD_CLI_CLIENT_H
#define CAMTRAPD_CLI_CLIENT_H
#include <jansson.h>

/* camtrapctl's exit codes (contract.md). */
enum { EXIT_DONE = 0, EXIT_NOTHING = 1, EXIT_USAGE = 2, EXIT_NO_DAEMON = 3, EXIT_REFUSED = 4, EXIT_PARTIAL = 5 };

#define WHY_MAX 256

/* Sends `request` (taken over) and returns the document, which the caller owns. NULL: the reason is in `why` and *status is the
 * exit code. */
json_t	*client_ask(const char *socket_path, json_t *request, int *status, char why[static WHY_MAX]);
#endif
