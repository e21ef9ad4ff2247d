/* agent/engine/evidence.h: what is known about a device besides its address: the registry's word, what it says of itself to its
 * switch, the address that routers have for it. Pure. */
#ifndef CAMTRAPD_EVIDENCE_H
#define CAMTRAPD_EVIDENCE_H
#include "engine/net.h"
#include "model/detection.h"
#include "model/registry.h"

/* Adds to d->evidence what the neighbours on the port of d->location say, if that is an edge port. */
void	evidence_of_place(const struct net *n, struct detection *d, struct wall at);
/* Adds which block the address is of, by which file of which date. */
void	evidence_of_registry(const struct registry *r, struct detection *d, struct wall at);

/* Is `new` worth more than `old` as the address of a device: any for none, IPv4 for IPv6, never one of this link only. */
bool	address_is_better(const struct ip *old, const struct ip *new);
/* The address that ARP and ND tables have for `mac` now; *out is left alone where there is none. Reads all of them. */
void	address_known(const struct net *n, struct mac mac, struct ip *out);
#endif
