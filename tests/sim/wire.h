/* tests/sim/wire.h: all switches on one UDP socket: questions in, answers out from the address that was asked; lost, late and cut ones. */
#ifndef CAMPUS_WIRE_H
#define CAMPUS_WIRE_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent.h"

struct wire_options { uint16_t port; const char *community; const struct usm_user *user; };

extern struct agent_counters wire_counters;

/* Returns the descriptor, or exits with a message. */
int	wire_open(const struct wire_options *opt);
/* What waits at the socket. */
void	wire_serve(void);
/* Sends what is due by network.now; ms until the next is, or -1. */
int64_t	wire_tick(void);
/* A datagram of a switch's own, from its address. */
void	wire_send(uint32_t from, const struct sockaddr_in *to, const void *p, size_t n);
#endif
