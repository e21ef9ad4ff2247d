/* agent/proc/supervise.h: the parent: starts the roles, joins them by socket pairs, restarts what dies, reloads. No domain logic. */
#ifndef CAMTRAPD_SUPERVISE_H
#define CAMTRAPD_SUPERVISE_H
#include <stdbool.h>

#include "config/conf.h"

/* Runs until SIGTERM or SIGINT. `reload` reads the configuration again at SIGHUP: NULL means it was wrong (and said so).
 * Takes over `c`. `verbose` is handed to the children. Returns the exit status. */
int	supervise(struct conf *c, struct conf *(*reload)(const char *path), bool verbose);
#endif
