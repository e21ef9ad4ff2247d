/* agent/engine/locate.h: where a station is: the polled port nearest to it, or why that cannot be said. Pure. */
#ifndef CAMTRAPD_LOCATE_H
#define CAMTRAPD_LOCATE_H
#include "engine/net.h"
#include "model/detection.h"

/* The verdict for one MAC from what is seen now; also for MACs seen only as a neighbour or not at all. */
void	locate(const struct net *n, struct mac mac, struct location *out);
/* True when nothing shows that it is alive: only switches that cannot be asked, and uplinks towards switches which were read
 * completely and do not show it: what passes there has been silent for longer than they remember. */
bool	locate_is_echo(const struct net *n, struct mac mac);
/* True when a port that sees it is an uplink only until its other end was read again (uplink.c). */
bool	locate_in_doubt(const struct net *n, struct mac mac);
/* The switches behind the uplinks that see `mac`, which could name its port: at most `max`; returns how many. */
size_t	locate_ask(const struct net *n, struct mac mac, struct sw **out, size_t max);
/* The place in words that a message can carry. */
void	place_of(struct place *out, const struct sw *sw, uint32_t if_index, uint16_t vlan);
#endif
