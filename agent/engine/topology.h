/* agent/engine/topology.h: the links between polled switches as uplink.c concluded them, and where nobody looks. Pure. */
#ifndef CAMTRAPD_TOPOLOGY_H
#define CAMTRAPD_TOPOLOGY_H
#include "engine/net.h"

/* Port `pa` of `a` is an uplink. */
struct link {
	const struct sw		*a, *b;		/* b NULL: nobody polled is known there */
	const struct port	*pa, *pb;	/* pb NULL: not known */
};

/* The other end of uplink `p` of `sw`; NULL: not known, or several could be it. */
const struct port	*link_other_end(const struct sw *sw, const struct port *p);
/* Calls `each` for every link once: one that both ends conclude is told by the end whose switch comes first in `sorted`. */
typedef void link_each(void *arg, const struct link *l);
void			 links_walk(struct sw *const *sorted, size_t n, link_each *each, void *arg);

/* Calls `each` for the neighbours of `sw` that forward frames and are no polled switch: bridge or router, and neither phone, access point
 * nor end device. In the order of ports; however many rows there are, it takes no longer than to sort them. */
typedef void unpolled_each(void *arg, const struct sw *sw, const struct row_neighbour *nb);
void			 unpolled_walk(const struct sw *sw, unpolled_each *each, void *arg);
/* What it calls itself, or what else there is of it; never empty. Returns `out`. */
const char		*neighbour_text(const struct row_neighbour *nb, char out[static 128]);
#endif
