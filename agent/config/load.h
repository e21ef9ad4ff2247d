/* agent/config/load.h: what the readers of configuration share while one conf_load() runs. Private to agent/config/. */
#ifndef CAMTRAPD_CONFIG_LOAD_H
#define CAMTRAPD_CONFIG_LOAD_H
#include <libconfig.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/schema.h"

/* Where an element and each of its keys were written; line 0: the key was not. `file` is interned. */
struct written { const char *file; unsigned line, key_line[GROUP_KEYS_MAX]; };

#define NOT_YET_MAX 32		/* rows of the schema with F_NOT_YET */

struct mistake { char *text; size_t file; unsigned line; size_t seq; };

struct loader {
	struct conf		*c;
	char			*folder;		/* of the configuration, with a '/' at the end; absolute */
	struct strlist		 files;			/* interned names, in the order met */
	struct strlist		 policy_paths;		/* parallel to c->policies.sets */
	size_t			 policy_rules;		/* of all sets */
	bool			 policies_full;		/* told */
	struct mistake		*mistakes;
	size_t			 n_mistakes, cap_mistakes;
	struct written		*origins[G_N];		/* parallel to the lists of `c` */
	size_t			 cap[G_N], cap_origins[G_N];
	struct written		 single;		/* file: the one being read from memory */
	struct conf_switch	 defaults;		/* switch_defaults */
	struct written		 defaults_origin;
	struct overflow {			/* an integer that libconfig wraps; found on the text */
		const char	*file;
		unsigned	 line;
		long long	 wrapped;	/* what libconfig makes of it */
		char		 text[40], key[65];
		bool		 told;		/* with its range, by the key that it belongs to */
	} *overflows;
	size_t			 n_overflows, cap_overflows;
	struct not_yet {			/* F_NOT_YET that was said: one warning each, whatever the number of switches */
		const void	*what;		/* its row of the schema */
		size_t		 warning, more;	/* the first, in c->warnings; and how many others */
	} not_yet[NOT_YET_MAX];
	size_t			 n_not_yet;
	bool			 oom;
};

/* A place and whose key it is, for messages. */
struct where {
	struct loader	*l;
	const char	*file;			/* interned */
	unsigned	 line;
	const char	*what, *name;		/* "switch" and its name; name NULL: its number `index` is said */
	size_t		 index;
	const char	*key;			/* NULL: none */
};

const char	*load_intern(struct loader *l, const char *file);
const char	*load_known(struct loader *l, const char *file);	/* by the name libconfig has for it */
/* "FILE:LINE: switch "x": key: text" */
void		 mistake(const struct where *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void		 warning(const struct where *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Owned; NULL when out of memory. */
char		*load_path(struct loader *l, const char *name);

/* Opens a regular file, checks its owner and mode when `secret`; a descriptor, or -1 with the mistake told. */
int		 load_open(const struct where *w, const char *path, bool secret);
/* Owned text with a NUL; NULL: told. */
char		*load_read(const struct where *w, const char *path, size_t *n);
/* Parses a libconfig file with all checks on its text. false: told. The caller destroys `cf` in any case (it is initialised). */
bool		 load_libconfig(struct loader *l, const struct where *from, const char *path, config_t *cf);

/* The value into `obj`; false: told. `w` has the key. */
bool		 set_text(const struct where *w, const struct conf_key *k, void *obj, const char *text);
void		 set_default(struct loader *l, const struct conf_key *k, void *obj);
/* All keys of a group of settings; unknown ones are told, required ones that miss too. */
void		 set_group(struct where *w, const config_setting_t *s, const struct conf_key *keys, void *obj, struct written *o,
    unsigned only, const char *also);
void		 set_switch_rest(struct loader *l, struct conf_switch *s, const struct written *o);
/* A new zeroed element of a list group, with its origin. NULL: out of memory, noted. */
void		*load_element(struct loader *l, enum conf_group_id id, struct written **o);
const char	*setting_file(struct loader *l, const config_setting_t *s);
/* "; did you mean "x"?" into `out`, or "". */
const char	*hint(char *out, size_t size, const char *have, const char *const *names, size_t n);
const char	*hint_key(char *out, size_t size, const char *have, const struct conf_key *keys, unsigned only, const char *also);
/* A file or, with '/' at the end, the files of a folder that end in one of the suffixes, in order. */
void		 load_each(const struct where *w, const char *name, const char *suffix, const char *suffix2,
    void (*one)(const struct where *w, const char *path));

void		 inventory_read(const struct where *w, const char *path);
void		 policy_read(const struct where *w, const char *path);
void		 check_all(struct loader *l);
#endif
