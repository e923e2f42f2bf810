/*-------------------------------------------------------------------------
 *
 * places.c
 *	  Every directory this cluster writes relation pages to.
 *
 * These are base/ and global/ in the data directory, the directory of this
 * server version in every tablespace, and below them each database directory
 * that is on another filesystem than its parent (a mount or a symlink made by
 * hand).  The catalogs are not asked: the list is needed in the postmaster
 * and in recovery, so it comes from the directories themselves.
 *
 * The current directory is the data directory, as in every server process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/pg_tablespace_d.h"
#include "common/relpath.h"
#include "storage/fd.h"

#include "places.h"

static void
add_place(List **places, Oid tablespace, const char *path, int writethrough_flag)
{
	SaPlace    *place = palloc(sizeof(SaPlace));

	place->tablespace = tablespace;
	sa_probe_directory(path, BLCKSZ, writethrough_flag, &place->probe);
	*places = lappend(*places, place);
}

static bool
all_digits(const char *name)
{
	return name[0] != '\0' && strspn(name, "0123456789") == strlen(name);
}

/*
 * Call visit for each subdirectory of path whose name is a number (database
 * directories, tablespace links); relation files are passed over.  A directory that cannot be read is an
 * ERROR: a place that is not seen would count as safe.
 */
static void
each_numbered(const char *path, void (*visit) (const char *path, Oid oid, void *arg), void *arg)
{
	DIR		   *dir = AllocateDir(path);
	struct dirent *entry;

	while ((entry = ReadDir(dir, path)) != NULL)
	{
		char		sub[MAXPGPATH];

		if (entry->d_type == DT_REG || !all_digits(entry->d_name))
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, entry->d_name);
		visit(sub, (Oid) strtoul(entry->d_name, NULL, 10), arg);
	}
	FreeDir(dir);
}

typedef struct Walk
{
	List	  **places;
	Oid			tablespace;
	int			writethrough_flag;
	dev_t		device;			/* of the parent */
} Walk;

/* A database directory: a place of its own only on another filesystem. */
static void
visit_database(const char *path, Oid oid, void *arg)
{
	Walk	   *walk = arg;
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_dev != walk->device)
		add_place(walk->places, walk->tablespace, path, walk->writethrough_flag);
}

static void
add_tree(List **places, Oid tablespace, const char *path, int writethrough_flag)
{
	Walk		walk = {places, tablespace, writethrough_flag, 0};
	struct stat st;

	add_place(places, tablespace, path, writethrough_flag);
	if (stat(path, &st) != 0)
		return;					/* the probe has said why */
	walk.device = st.st_dev;
	each_numbered(path, visit_database, &walk);
}

static void
visit_tablespace(const char *path, Oid oid, void *arg)
{
	Walk	   *walk = arg;
	char		versioned[MAXPGPATH];
	struct stat st;

	snprintf(versioned, sizeof(versioned), "%s/%s", path, TABLESPACE_VERSION_DIRECTORY);
	add_tree(walk->places, oid, stat(versioned, &st) == 0 ? versioned : path,
			 walk->writethrough_flag);
}

/*
 * Probe every place.  Returns a list of SaPlace in the current memory
 * context, the data directory first.  Postmaster, backends and workers.
 */
List *
sa_places_probe(int writethrough_flag)
{
	List	   *places = NIL;
	Walk		walk = {&places, InvalidOid, writethrough_flag, 0};

	add_tree(&places, DEFAULTTABLESPACE_OID, "base", writethrough_flag);
	add_place(&places, GLOBALTABLESPACE_OID, "global", writethrough_flag);
	each_numbered("pg_tblspc", visit_tablespace, &walk);
	return places;
}

/* Ordered: a place that cannot, one that could not be asked, one that can. */
static int
strength(const SaPlace *place)
{
	if (place->probe.verdict == SA_VERDICT_NONE)
		return place->probe.transient ? 1 : 0;
	return 1 + (int) place->probe.verdict;
}

/* The first of the weakest places. */
const SaPlace *
sa_places_weakest(List *places)
{
	const SaPlace *weakest = NULL;
	ListCell   *lc;

	foreach(lc, places)
	{
		const SaPlace *place = lfirst(lc);

		if (weakest == NULL || strength(place) < strength(weakest))
			weakest = place;
	}
	return weakest;
}

static void
prepare_directory(const char *path, SaVerdict verdict)
{
	int			fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int			rc = fd < 0 ? -errno : sa_probe_prepare_fd(fd, BLCKSZ, verdict);

	if (fd >= 0)
		close(fd);
	if (rc != 0 && rc != -ENOENT && rc != -ENOTDIR)
		ereport(LOG,
				(errmsg("smgr_atomic: could not set allocation hints on directory \"%s\": %s",
						path, strerror(-rc)),
				 errdetail("Copy-on-write may take more space than needed.")));
}

static void
visit_prepare(const char *path, Oid oid, void *arg)
{
	prepare_directory(path, *(SaVerdict *) arg);
}

/*
 * Set allocation hints on the directories, so that new files inherit them.
 * See sa_probe_prepare_fd().  Failing is not an error.
 */
void
sa_places_prepare(List *places)
{
	ListCell   *lc;

	foreach(lc, places)
	{
		SaPlace    *place = lfirst(lc);

		if (place->probe.verdict == SA_VERDICT_NONE)
			continue;
		prepare_directory(place->probe.path, place->probe.verdict);
		each_numbered(place->probe.path, visit_prepare, &place->probe.verdict);
	}
}

/*
 * Make everything on the places' filesystems durable.  0, or -errno and the
 * path that failed.
 */
int
sa_places_sync(List *places, const char **failed)
{
	ListCell   *lc;

	foreach(lc, places)
	{
		SaPlace    *place = lfirst(lc);
		int			rc = sa_probe_sync_filesystem(place->probe.path);

		if (rc != 0)
		{
			*failed = place->probe.path;
			return rc;
		}
	}
	return 0;
}
