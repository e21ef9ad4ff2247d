/* tests/bench/v3_agent.h: as many SNMP agents as there are addresses in 127/8, on one socket: v2c, and v3 with authPriv (SHA-256,
 * AES-128) for engines made from the address. Shares no code with the product. */
#ifndef BENCH_V3_AGENT_H
#define BENCH_V3_AGENT_H
#include <stddef.h>
#include <stdint.h>

struct v3_agent {
	int		 fd;
	const char	*user, *secret;		/* one secret for both */
	uint32_t	 rows;			/* of each column */
	unsigned	 same_engine;		/* so many neighbouring addresses have one engine ID, boots of their own; 0 or 1: none */
};

/* Serves until the process is ended. Boots are 1 and up; what is outside of an engine's time window gets a Report. */
_Noreturn void	v3_agent_run(const struct v3_agent *a);
#endif
