/* agent/notify/resolve.h: receivers' names to addresses, at once and every minute, without blocking the loop. */
#ifndef CAMTRAPD_RESOLVE_H
#define CAMTRAPD_RESOLVE_H
#include <event2/event.h>

#include "base/ip.h"

struct resolve;				/* opaque; one name */

/* An address, each time it is found; an address found before stays good when a later try fails. Never from within
 * resolve_new(), also for a literal. */
typedef void resolve_found(void *arg, const struct ip_port *address);

/* `family` is 4 or 6 to take only such addresses, 0 for any. Copies `host`. NULL: out of memory. */
struct resolve	*resolve_new(struct event_base *base, const char *host, uint16_t port, unsigned family, resolve_found *found, void *arg);
void		 resolve_free(struct resolve *r);	/* NULL is fine */
#endif
