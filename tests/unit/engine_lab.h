/* tests/unit/engine_lab.h: the engine with a network made of rows and a clock of its own, for the programs that make claims about
 * it. Three switches: core port 1 leads to a port 1, core port 2 to b port 1; ports from 5 on are for devices. Core and a are on
 * the sensitive site "hq" that is paged, b is on "depot". Nothing here sleeps, and there is one lab per program. */
#ifndef TESTS_UNIT_ENGINE_LAB_H
#define TESTS_UNIT_ENGINE_LAB_H
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/num.h"
#include "engine/engine.h"
#include "model/registry.h"
#include "store/store.h"

enum { CORE, A, B, SWITCHES };
#define MACS 40
#define OUT_MAX 512
#define LAB_LAG 101
#define CAMERA 0x4419b6010203ull	/* the addresses behind it are of the same maker */
#define LAPTOP 0x001422aa0001ull

struct seen { uint64_t mac; uint32_t port; uint16_t vlan; };

/* What a hostile device makes of a port: so many restricted addresses, from CAMERA + `from` on. */
struct burst { int sw; uint32_t port, second_port, from, n; };	/* second_port: they show there, too; 0: they do not */

/* A neighbour more: who says by LLDP, or by CDP with `cdp_caps`, that he is what. */
struct said { int sw; uint32_t port; uint64_t chassis; const char *name, *port_id; uint16_t caps; uint32_t cdp_caps; };

enum lab_policies { ABOUT_HIKVISION, ABOUT_DELL_TOO, ABOUT_NOBODY };

/* Knobs are turned by the claims themselves; lab_setup() has them all at rest. */
struct lab {
	char			 dir[64];
	struct store		*store;
	struct registry		*registry;
	struct engine		*engine;	/* NULL: not running */
	struct moment		 now;

	/* What the switches say with their next poll. */
	struct seen		 fdb[SWITCHES][MACS];
	uint32_t		 ports;		/* of each switch */
	struct burst		 burst;
	uint32_t		 borrowed;	/* a shows the core's own address on so many ports, from 10 on */
	uint32_t		 claimed;	/* on so many ports of a, from 10 on, somebody says that he is b, on "Gi1" of it */
	uint64_t		 forged;	/* a's port 9 has a neighbour that says it is the switch of this MAC; 0: none */
	struct said		 said[8];	/* those with a port */
	bool			 deaf;		/* the three do not hear each other, but see their addresses */
	uint32_t		 crowd;		/* so many bridges that nobody polls hang on a's port 8 */
	const char		*sys_name;	/* of all of them; NULL: each has its own */
	bool			 b_is_a;	/* b says that it has the bridge address of a */
	bool			 apart;		/* a is joined to nobody */
	const char		*says;		/* what that neighbour calls its maker by LLDP-MED; NULL: nothing */
	bool			 renumbered[SWITCHES];	/* its ports from 5 on have the numbers of those before them, in a ring */
	bool			 arp;		/* the core's ARP table has the camera */
	bool			 core_has_no_ports;	/* its interface table cannot be read */
	uint32_t		 uptime_cs[SWITCHES];	/* 0: it does not say */
	bool			 half_read[SWITCHES];	/* the poll does not reach the end of the MAC table */
	int64_t			 began_ms[SWITCHES];	/* so long before it was told the poll began */
	bool			 restarts[SWITCHES];	/* in the midst of the poll: nothing is complete */
	bool			 lag;		/* port 1 of core and of a is a member, as port 8, of their port LAB_LAG, "Po1" */

	/* There is no memory: realloc() of so many octets, calloc() of more than so many; 0: there is. */
	size_t			 no_realloc, no_calloc;

	/* What the operator configures: from the next lab_start() or lab_reconfigure() on. */
	enum lab_policies	 policies;
	bool			 left_out[SWITCHES], readdressed[SWITCHES];
	const char		*uplink[SWITCHES], *access_port[SWITCHES];	/* NULL: none is named */
	bool			 no_receivers, same_address;
	bool			 page_depot;
	uint32_t		 max_stations;

	/* The others: notify, the pollers, whoever asks. */
	bool			 acknowledge;
	struct msg_deliver	 out[OUT_MAX];
	size_t			 n_out;
	unsigned		 polls_asked[SWITCHES];
	uint64_t		 sum[SWITCHES];	/* of the rows that the engine has; 0: none */
	unsigned		 resyncs;
	uint64_t		 random;
	unsigned		 answers;	/* whole ones */
	struct buf		 answer;	/* the last */
};
extern struct lab lab;
extern const uint64_t lab_bridge[SWITCHES];	/* the switches' own addresses */

int	lab_setup(void **state);	/* an empty database and a running engine */
int	lab_teardown(void **state);
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

void	lab_start(void);
void	lab_stop(void);
/* What kill -9 leaves: nothing is written that was not on disk. */
void	lab_crash(void);
/* The configuration is read again. */
void	lab_reconfigure(void);
/* From now on nothing can be written, or all again. */
void	lab_disk_full(bool full);
/* The database's writes from the `from`th one on fail with `err`, `n` of them; 0 from: no more. */
void	lab_writes_fail(long from, long n, int err);
long	lab_writes(void);		/* how many there were since then */
/* The power goes in the midst of the `at`th write: half of it is on disk, and nothing more will be. */
void	lab_power_fails(long at);
size_t	lab_power_failed(void);		/* how much was sent by then: lab.n_out; SIZE_MAX: it has not failed */

void	lab_tick(void);
void	lab_later(int64_t ms);

/* A poll ended like this: with SWITCH_OK it brings what the switch says now. */
void	lab_report(int sw, enum switch_state state, uint32_t missed);
void	lab_poll(int sw);
void	lab_sweep(void);		/* all of them, the core first */

/* Three polls without an answer, so long after the one before: it is given up. */
void	lab_dies(int sw, int64_t apart_ms);

/* The tables as learning makes them: the device's own switch on its port, the others towards it. */
void	lab_plug(int slot, uint64_t mac, int sw, uint32_t port);
void	lab_unplug(int slot);

/* Notifications of a type that the receiver got, by event id once each; the last one in *last, which may be NULL. */
unsigned	lab_told(enum event_type type, const char *receiver, struct event *last);
/* The same for what the noc got about one device. */
unsigned	lab_told_of(enum event_type type, uint64_t mac, struct event *last);
/* A question of an operator. */
void		lab_ask(uint32_t id, const char *command, const char *argument);
/* A number of `status`: lab_status("counters", "events"). */
long long	lab_status(const char *group, const char *name);
#endif
