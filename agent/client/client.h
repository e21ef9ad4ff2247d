/* agent/client/client.h: asks the daemon one question over its control socket, and finds that socket. */
#ifndef CAMTRAPD_CLIENT_H
#define CAMTRAPD_CLIENT_H
#include <jansson.h>
#include <stddef.h>

/* camtrapctl's exit codes (contract.md). */
enum { EXIT_DONE = 0, EXIT_NOTHING = 1, EXIT_USAGE = 2, EXIT_NO_DAEMON = 3, EXIT_REFUSED = 4, EXIT_PARTIAL = 5 };

#define WHY_MAX 256
#define SOCKET_PATH_MAX 108		/* octets, NUL included: sockaddr_un has no more */
#define CONF_DEFAULT CAMTRAPD_SYSCONFDIR "/camtrapd.conf"

/* Where the daemon listens: at `socket`, else in the run_dir of `conf_path`, else in that of the usual configuration. One with mistakes
 * still tells where, and the daemon works with the last good one: *mistakes is their number. The usual one that cannot be read is no
 * mistake, as its secrets may be root's: the usual socket then. NULL: not said. 0; -ENOENT: `conf_path` does not tell;
 * -ENAMETOOLONG. */
int	 client_socket(const char *socket, const char *conf_path, char out[static SOCKET_PATH_MAX], size_t *mistakes);

/* Sends `request` (taken over) and returns the document, which the caller owns. NULL: the reason is in `why` and *status is the
 * exit code. */
json_t	*client_ask(const char *socket_path, json_t *request, int *status, char why[static WHY_MAX]);
#endif
