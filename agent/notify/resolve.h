/* agent/notify/resolve.h: receivers' names to addresses without blocking the loop: glibc's getaddrinfo_a() looks up in threads of its
 * own, and we ask it by a timer whether it is done. A name is asked at once, every minute, and soon after resolve_again(). */
#ifndef CAMTRAPD_RESOLVE_H
#define CAMTRAPD_RESOLVE_H
#include <event2/event.h>

#include "base/ip.h"

#define RESOLVE_ADDRESSES_MAX 8		/* of one name; more are left out */

struct resolve;				/* opaque; one name */

/* A look-up ended: the addresses in the order to try them, borrowed. n 0: it failed, with `why` for people (static); addresses
 * found before stay good. Never from within resolve_new(). */
typedef void resolve_found(void *arg, const struct ip_port *addresses, size_t n, const char *why);

/* `family` is 4 or 6 to take only such addresses, 0 for any. Copies `host`, which is a name: literal addresses need no look-up.
 * NULL: out of memory. */
struct resolve	*resolve_new(struct event_base *base, const char *host, uint16_t port, unsigned family, resolve_found *found, void *arg);
/* What was found does not answer: asks anew, at most every 5 s. */
void		 resolve_again(struct resolve *r);
/* No call of `found` after it. A look-up under way is left to end by itself. NULL is fine. */
void		 resolve_free(struct resolve *r);
#endif
