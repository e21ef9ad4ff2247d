/* agent/proc/supervise.h: the parent: starts the roles, joins them by socket pairs, restarts what dies, reloads. No domain logic. */
#ifndef CAMTRAPD_SUPERVISE_H
#define CAMTRAPD_SUPERVISE_H
#include <stdbool.h>
#include <stddef.h>

#include "config/conf.h"

/* Reads the configuration again. NULL: it is wrong, every mistake was logged, and `why` has the first with its place. */
typedef struct conf *supervise_reload(const char *path, char *why, size_t size);

/* Runs until SIGTERM or SIGINT; `reload` is called at SIGHUP. Takes over `c`. `verbose` is handed to the children. Returns the
 * exit status. After the start no shortage of memory, descriptors or processes ends it: what failed is tried again later. */
int	supervise(struct conf *c, supervise_reload *reload, bool verbose);
#endif
