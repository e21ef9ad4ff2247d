/* agent/config/schema.h: every configuration key, once: name, kind, range, default, who is told. Reading, checking,
 * printing, encoding and wiping all walk this table. Private to agent/config/ and its test. */
#ifndef CAMTRAPD_CONFIG_SCHEMA_H
#define CAMTRAPD_CONFIG_SCHEMA_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/conf.h"

enum key_kind {
	K_TEXT,			/* char *; min..max octets */
	K_FILE,			/* char *: a file name, made absolute from the configuration's folder */
	K_UINT,			/* uint32_t; min..max units */
	K_DURATION,		/* uint32_t seconds; min..max seconds */
	K_BOOL,			/* bool */
	K_ENUM,			/* an enum; `names` */
	K_TEXTS,		/* struct strlist; at most `max` of them */
	K_FILES,		/* struct strlist of file names, made absolute */
	K_LISTEN,		/* struct strlist of "address:port" */
	K_NETS,			/* struct strlist of addresses or "address/bits" */
	K_ADDRESS,		/* struct ip_port; default port `min` */
	K_IP,			/* struct ip */
	K_IPS,			/* struct ip *, count at `off2` */
	K_VLANS,		/* uint16_t *, count at `off2` */
	K_HOST,			/* char * and uint16_t port at `off2`; default port `min` */
	K_ONE,			/* text: short for a K_TEXTS at `off` with this one */
	K_MATCH,		/* a rule's match: kind `min` at `off2` */
};

enum key_flag {
	F_REQUIRED	= 0x01,
	F_SECRET	= 0x02,		/* printed as ***, wiped, told only to `roles` */
	F_INHERIT	= 0x04,		/* may stand in switch_defaults */
	F_HIDDEN	= 0x08,		/* not printed, not encoded: another spelling of a key */
	F_EMPTY		= 0x10,		/* printed as an empty list: what it named is in the print already */
	F_ABSOLUTE	= 0x20,		/* must begin with '/' */
	F_OID		= 0x40,
	F_NOT_YET	= 0x80,		/* taken, but nothing in this version uses it: a warning where it asks for something */
};

#define R_POLLER	(1u << CONF_FOR_POLLER)
#define R_ENGINE	(1u << CONF_FOR_ENGINE)
#define R_NOTIFY	(1u << CONF_FOR_NOTIFY)
#define R_VIEWS		(1u << CONF_FOR_VIEWS)
#define R_ALL		(R_POLLER | R_ENGINE | R_NOTIFY | R_VIEWS)

struct key_name { const char *text; unsigned value; };

struct conf_key {
	const char		*name;		/* NULL ends a table */
	enum key_kind		 kind;
	size_t			 off, off2;
	const char		*dflt;		/* as it would be written; lists with blanks between; NULL: absent */
	uint64_t		 min, max;
	const char		*unit;
	unsigned		 flags, roles;
	const struct key_name	*names;		/* K_ENUM; ends with NULL */
	const char		*help;
};

#define GROUP_KEYS_MAX 20

enum conf_group_id { G_AGENT, G_CREDENTIALS, G_TRAP_USERS, G_SITES, G_SWITCHES, G_TOP, G_RECEIVERS, G_LISTEN, G_SOURCES, G_N };

struct conf_group {
	const char		*name;		/* "" for keys at the top */
	const char		*what;		/* one element, in messages; NULL: a single group kept in struct conf itself */
	size_t			 size;		/* of an element */
	size_t			 off, off_n;	/* of the array and its count in struct conf */
	unsigned		 roles;
	unsigned		 flags;		/* F_NOT_YET: of a list, whole */
	const struct conf_key	*keys;
	void			(*preset)(void *element);
};

extern const struct conf_group	conf_groups[G_N];
extern const struct conf_key	policy_keys[], rule_keys[];

/* The key of this name, or NULL. */
const struct conf_key	*key_find(const struct conf_key *keys, const char *name);
/* The value of a K_ENUM in `obj`, whatever its type there. */
unsigned		 key_enum_get(const struct conf_key *k, const void *obj);
void			 key_enum_set(const struct conf_key *k, void *obj, unsigned v);
/* As it is written; NULL: no such value. */
const char		*key_enum_text(const struct conf_key *k, unsigned v);
/* Frees (and wipes, where secret) what the key holds in `obj`, and zeroes it. */
void			 key_free(const struct conf_key *k, void *obj);
/* The same for all keys of a table. */
void			 keys_free(const struct conf_key *keys, void *obj);

/* Borrowed: element `i` of a list group; `c` itself for a single group. */
void			*group_element(const struct conf_group *g, const struct conf *c, size_t i);
/* Elements of a list group; 1 for a single group. */
size_t			 group_count(const struct conf_group *g, const struct conf *c);

/* When all switches are there: makes conf_switch() fast. 0 or -ENOMEM. */
int			 conf_index(struct conf *c);

/* Owned copy appended. 0 or -ENOMEM. */
int			 strlist_add(struct strlist *l, const char *s, size_t n);
/* Leaves an empty list. */
void			 strlist_free(struct strlist *l);
#endif
