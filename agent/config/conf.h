/* agent/config/conf.h: the configuration as the processes use it (contract.md, Configuration; camtrapd.conf(5)).
 * Read and checked by the parent; each child gets a copy with only what its role may know (conf_encode). */
#ifndef CAMTRAPD_CONF_H
#define CAMTRAPD_CONF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/ip.h"
#include "model/detection.h"
#include "model/policy.h"

struct strlist { char **v; size_t n; };		/* owned */

enum snmp_version { SNMP_V1 = 1, SNMP_V2C, SNMP_V3 };
enum snmp_auth { AUTH_NONE, AUTH_MD5, AUTH_SHA1, AUTH_SHA224, AUTH_SHA256, AUTH_SHA384, AUTH_SHA512 };
enum snmp_priv { PRIV_NONE, PRIV_DES, PRIV_AES128, PRIV_AES192, PRIV_AES256, PRIV_AES192C, PRIV_AES256C };

struct conf_credential {
	char			*name;
	enum snmp_version	 version;
	char			*community;		/* secret; v1, v2c */
	char			*community_file;	/* where it was read from; kept for --dump */
	char			*user;			/* v3 */
	enum snmp_auth		 auth;
	char			*auth_secret, *auth_secret_file;	/* secret; file */
	enum snmp_priv		 priv;
	char			*priv_secret, *priv_secret_file;
	char			*context_prefix;	/* "vlan-" */
	bool			 allow_weak;
};

struct conf_site {
	char		*name;
	bool		 sensitive;
	uint16_t	*core_vlans;
	size_t		 n_core_vlans;
	bool		 page_existing;			/* default: sensitive */
};

struct conf_switch {
	uint64_t	 key;				/* hash of the name: what processes call it */
	char		*name;
	struct ip_port	 address;
	char		*site;				/* NULL: none */
	char		*location;			/* NULL: none; for people */
	struct strlist	 credentials;			/* names, tried in order */
	uint32_t	 poll_interval_s, pulse_interval_s;
	struct strlist	 uplinks, access_ports;		/* ifName or ifIndex */
	struct ip	*reply_from;
	size_t		 n_reply_from;
	uint32_t	 max_in_flight, max_rows;
};

enum receiver_type { RECEIVER_SNMP = 1 };
struct conf_receiver {
	char			*name;
	enum receiver_type	 type;
	char			*host;			/* name or address */
	uint16_t		 port;
	char			*credential;
	bool			 inform;
	struct ip		 source_address;	/* family 0: the system's choice */
};

struct conf {
	char		*path;				/* the file it came from */
	/* agent */
	char		*name, *state_dir, *run_dir, *mib_root;
	uint32_t	 pollers, heartbeat_s, retention_s, max_stations;
	struct strlist	 registry;
	/* lists */
	struct conf_credential	*credentials;	size_t n_credentials;
	struct conf_credential	*trap_users;	size_t n_trap_users;
	struct conf_site	*sites;		size_t n_sites;
	struct conf_switch	*switches;	size_t n_switches;
	size_t			*by_key;	/* switches in the order of their keys; NULL: not made (conf_index) */
	struct conf_receiver	*receivers;	size_t n_receivers;
	struct strlist		 inventory, policy_files;
	struct policies		 policies;
	/* listen, sources: for the roles of later versions (F_NOT_YET); checked and dumped now */
	struct strlist	 syslog_udp, syslog_tcp, syslog_tls, traps, http;
	char		*agentx;
	struct strlist	 relays, trap_forwarders, trusted, patterns;
	/* "FILE:LINE: text" of what works but should be looked at; after conf_load only, never encoded or dumped */
	struct strlist	 warnings;
};

/* Called once per mistake with "FILE:LINE: text" (no newline). */
typedef void conf_complain(void *arg, const char *line);

/* Reads `path` and all it names. NULL when anything is wrong: every mistake was told. The caller frees it. */
struct conf	*conf_load(const char *path, conf_complain *complain, void *arg);
/* agent.run_dir alone, also when there are mistakes elsewhere (their number): where to ask the daemon, which goes on with the last
 * good configuration. NULL: not to be known. The caller frees it. */
char		*conf_run_dir(const char *path, size_t *mistakes);
/* Wipes the secrets first; NULL is fine. */
void		 conf_free(struct conf *c);
/* The effective configuration with defaults, secrets as "***"; parses back to the same. */
void		 conf_dump(const struct conf *c, FILE *out);

/* By name; borrowed until conf_free(). NULL: none, also for a name of NULL. A switch is found in logarithmic time. */
const struct conf_credential	*conf_credential(const struct conf *c, const char *name);
const char			*conf_version_text(enum snmp_version v);	/* "1", "2c", "3" */
const struct conf_site		*conf_site(const struct conf *c, const char *name);
const struct conf_switch	*conf_switch(const struct conf *c, const char *name);

/* Why what is said with it can be read or forged by others on the way (threat-model.md C5), the worst first: the one place that decides.
 * WEAK_COMMUNITY: everybody tries this one first; only who knows secrets can say so. */
enum weakness { WEAK_VERSION = 1, WEAK_NO_AUTH = 2, WEAK_MD5 = 4, WEAK_NO_PRIV = 8, WEAK_DES = 16, WEAK_COMMUNITY = 32 };
unsigned	 conf_weaknesses(const struct conf_credential *c);	/* a set; 0: it cannot */
const char	*conf_weakness(const struct conf_credential *c);	/* the worst of them, a static text; NULL: none */
/* Whether notify would do the same for both: all that it is told of them and of their credentials is equal. false also when out
 * of memory, or without a credential. */
bool	conf_same_receiver(const struct conf *a, const struct conf_receiver *of_a, const struct conf *b, const struct conf_receiver *of_b);

/* What a role is told (contract.md: what a role must not have it was never handed). */
enum conf_for { CONF_FOR_POLLER, CONF_FOR_ENGINE, CONF_FOR_NOTIFY, CONF_FOR_VIEWS };
/* For a poller: its switches are those with key % c->pollers == index, and their credentials. */
void		 conf_encode(const struct conf *c, enum conf_for role, unsigned index, struct buf *out);
/* The reverse. Trusts nothing: ranges and counts are checked again. NULL: not one, or out of memory. The caller frees it. */
struct conf	*conf_decode(const void *p, size_t n);
#endif
