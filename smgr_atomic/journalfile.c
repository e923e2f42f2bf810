/*-------------------------------------------------------------------------
 *
 * journalfile.c
 *	  The file that holds the page journal, and the marker that names it.
 *
 * The journal is a file of fixed size, written full of zeroes and made durable
 * before it is used, so that later writes only overwrite.  By default it lies
 * in the data directory under a name that begins with pgsql_tmp: base backups
 * and pg_rewind pass over such names, because a journal must never be part of
 * a copy of the cluster (see repair.c).
 *
 * The marker is a small text file in the data directory itself.  It is there,
 * durably, from before the first page goes to the journal until every page is
 * in place again and the journal given up.  A start after a crash that finds a
 * marker needs the journal it names.
 *
 * The lock.  Two servers must never write one journal.  The postmaster holds a
 * lock that belongs to the open file (F_OFD_SETLK); its children inherit the
 * file, so it is held until the last of them has ended.
 *
 * Functions return an open file or -1 with a reason for people, or 0 or an
 * errno; those about the marker raise errors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "catalog/pg_tablespace_d.h"
#include "common/file_perm.h"
#include "common/relpath.h"
#include "miscadmin.h"
#include "storage/block.h"
#include "storage/fd.h"

#include "journalfile.h"
#include "smgr_atomic.h"

#define MARKER SA_JOURNAL_NAME
#define MARKER_TMP SA_JOURNAL_NAME ".tmp"
#define MARKER_FORMAT "smgr_atomic journal 1"
#define LOCK_TRIES 50
#define LOCK_PAUSE_US 100000
#define ZERO_BLOCKS 16

/* ---- the marker ---- */

/* Without it nothing is known; who ignores the journal goes on so. */
static void
bad_marker(SaMarker *marker)
{
	memset(marker, 0, sizeof(SaMarker));
	strlcpy(marker->path, "unknown", MAXPGPATH);
	ereport(sa_ignore_journal ? WARNING : FATAL,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("could not understand file \"%s\"", MARKER),
			 errdetail("It names the page journal that recovery may need."),
			 errhint("Restore a backup, or set smgr_atomic.ignore_journal = on to start without the journal "
					 "and take the risk of torn pages.")));
}

/* False if there is none. */
bool
sa_marker_read(SaMarker *marker)
{
	FILE	   *file = AllocateFile(MARKER, "r");
	char		uuid[2 * SA_JOURNAL_UUID + 1];
	unsigned long long generation;
	char		line[MAXPGPATH + 16];
	bool		ok;

	if (file == NULL && errno == ENOENT)
		return false;
	if (file == NULL)
		ereport(FATAL,
				(errcode_for_file_access(), errmsg("could not open file \"%s\": %m", MARKER)));
	ok = fgets(line, sizeof(line), file) != NULL && strcmp(line, MARKER_FORMAT "\n") == 0 &&
		fgets(line, sizeof(line), file) != NULL && strncmp(line, "path ", 5) == 0 &&
		strlen(line) > 6 && strlen(line) - 6 < MAXPGPATH &&
		fscanf(file, "uuid %32s\ngeneration %llu", uuid, &generation) == 2 &&
		strlen(uuid) == 2 * SA_JOURNAL_UUID;
	FreeFile(file);
	for (int i = 0; i < SA_JOURNAL_UUID && ok; i++)
	{
		unsigned int byte;

		ok = sscanf(uuid + 2 * i, "%2x", &byte) == 1;
		marker->uuid[i] = (uint8) byte;
	}
	if (!ok)
	{
		bad_marker(marker);
		return true;
	}
	strlcpy(marker->path, line + 5, MAXPGPATH);
	marker->path[strcspn(marker->path, "\n")] = '\0';
	marker->generation = generation;
	return true;
}

/* Durable when this returns.  Any process of the server. */
void
sa_marker_write(const SaMarker *marker)
{
	char		uuid[2 * SA_JOURNAL_UUID + 1];
	FILE	   *file = AllocateFile(MARKER_TMP, "w");
	bool		ok;

	for (int i = 0; i < SA_JOURNAL_UUID; i++)
		snprintf(uuid + 2 * i, 3, "%02x", marker->uuid[i]);
	ok = file != NULL &&
		fprintf(file, MARKER_FORMAT "\npath %s\nuuid %s\ngeneration %llu\n",
				marker->path, uuid, (unsigned long long) marker->generation) > 0;
	if (file != NULL && FreeFile(file) != 0)
		ok = false;
	if (!ok)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not write file \"%s\": %m", MARKER_TMP)));
	/* fsyncs the file, its new name and the directory */
	(void) durable_rename(MARKER_TMP, MARKER, ERROR);
}

/*
 * Durable when this returns; nothing if there is none.  A marker that stays is
 * harmless as long as its journal does.
 */
void
sa_marker_remove(int elevel)
{
	if (unlink(MARKER) == 0)
		fsync_fname(".", true);
	else if (errno != ENOENT)
		ereport(elevel,
				(errcode_for_file_access(),
				 errmsg("could not remove file \"%s\": %m", MARKER),
				 errdetail("The next start may look for the page journal it names.")));
}

/* Does the marker speak of the journal with this superblock? */
bool
sa_marker_names(const SaMarker *marker, const SaJournalSuper *super)
{
	return memcmp(marker->uuid, super->uuid, SA_JOURNAL_UUID) == 0;
}

/*
 * Has nobody used this journal since the marker was written?  The superblock may
 * be one generation behind: a start ended between its marker and its superblock.
 */
bool
sa_marker_is_current(const SaMarker *marker, const SaJournalSuper *super)
{
	return super->generation == marker->generation || super->generation + 1 == marker->generation;
}

/* ---- the file ---- */

/* Where the journal lies according to the settings, into MAXPGPATH bytes. */
void
sa_journal_path(char *path)
{
	snprintf(path, MAXPGPATH, "%s/%s", sa_journal_directory, SA_JOURNAL_NAME);
}

/*
 * Path of the segment file that holds a page, into MAXPGPATH bytes.  As
 * GetRelationPath(), but without allocating.
 */
void
sa_journal_segment_path(const SaJournalKey *key, char *path)
{
	BlockNumber segno = key->block / (BlockNumber) RELSEG_SIZE;
	int			length;

	if (key->tablespace == GLOBALTABLESPACE_OID)
		length = snprintf(path, MAXPGPATH, "global/%u", key->relation);
	else if (key->tablespace == DEFAULTTABLESPACE_OID)
		length = snprintf(path, MAXPGPATH, "base/%u/%u", key->database, key->relation);
	else
		length = snprintf(path, MAXPGPATH, "pg_tblspc/%u/%s/%u/%u", key->tablespace,
						  TABLESPACE_VERSION_DIRECTORY, key->database, key->relation);
	if (key->fork != MAIN_FORKNUM)
		length += snprintf(path + length, MAXPGPATH - length, "_%s", forkNames[key->fork]);
	if (segno > 0)
		snprintf(path + length, MAXPGPATH - length, ".%u", segno);
}

/* Are two pages in the same segment file? */
bool
sa_journal_same_segment(const SaJournalKey *a, const SaJournalKey *b)
{
	return memcmp(a, b, offsetof(SaJournalKey, block)) == 0 &&
		a->block / (BlockNumber) RELSEG_SIZE == b->block / (BlockNumber) RELSEG_SIZE;
}

/* An aligned block for this process. */
void *
sa_journal_buffer(void)
{
	static char room[2 * SA_JOURNAL_BLOCK];

	return (void *) TYPEALIGN(SA_JOURNAL_BLOCK, room);
}

/* The children of a server that has just stopped may hold it a little longer. */
static bool
lock_file(int fd, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

	for (int i = 0; i < LOCK_TRIES; i++)
	{
		if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
			return true;
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return false;
		pg_usleep(LOCK_PAUSE_US);
	}
	return false;
}

static int
refuse(int fd, char *reason, size_t size, const char *path, const char *what)
{
	int			error = errno;

	snprintf(reason, size, "page journal \"%s\": %s: %s", path, what, strerror(error));
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

/*
 * Open and lock an existing journal.  -1 with errno and a reason; ENOENT if
 * there is none.
 */
int
sa_journal_open(const char *path, char *reason, size_t size)
{
	int			fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC | PG_BINARY);

	if (fd < 0)
		return refuse(fd, reason, size, path, "could not open it");
	if (!lock_file(fd, F_WRLCK))
		return refuse(fd, reason, size, path, "another server uses it");
	return fd;
}

/* Who has opened or made the journal lets others of this server join.  False with errno. */
bool
sa_journal_share(int fd)
{
	return lock_file(fd, F_RDLCK);
}

/*
 * Open the journal that another process of this server has opened and shares.
 * As long as one of them lives, no other server can have it.  -1 with errno.
 */
int
sa_journal_join(const char *path)
{
	int			fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC | PG_BINARY);

	if (fd >= 0 && !lock_file(fd, F_RDLCK))
	{
		int			error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static bool
fill_with_zeroes(int fd, uint64 size)
{
	static char room[(ZERO_BLOCKS + 1) * SA_JOURNAL_BLOCK];
	char	   *zeroes = (char *) TYPEALIGN(SA_JOURNAL_BLOCK, room);

	for (uint64 offset = 0; offset < size;)
	{
		size_t		length = Min(size - offset, ZERO_BLOCKS * SA_JOURNAL_BLOCK);
		ssize_t		done = pwrite(fd, zeroes, length, offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done != (ssize_t) length)
		{
			errno = done < 0 ? errno : ENOSPC;
			return false;
		}
		offset += length;
	}
	return fsync(fd) == 0;
}

/*
 * Make a journal, locked and full of zeroes, in the place of whatever is there.
 * The caller knows that nobody needs that.
 */
int
sa_journal_create(const char *path, uint32 section_blocks, char *reason, size_t size)
{
	int			fd;

	if (strcmp(sa_journal_directory, SA_JOURNAL_DEFAULT_DIRECTORY) == 0 &&
		mkdir(sa_journal_directory, pg_dir_create_mode) != 0 && errno != EEXIST)
		return refuse(-1, reason, size, path, "could not create its directory");
	if (unlink(path) != 0 && errno != ENOENT)
		return refuse(-1, reason, size, path, "could not remove the old one");
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC | PG_BINARY, pg_file_create_mode);
	if (fd < 0)
		return refuse(fd, reason, size, path, "could not create it");
	if (!lock_file(fd, F_WRLCK) || !fill_with_zeroes(fd, sa_journal_file_size(section_blocks)))
	{
		int			error = errno;

		unlink(path);
		errno = error;
		return refuse(fd, reason, size, path, "could not write it full of zeroes");
	}
	fsync_fname(sa_journal_directory, true);
	fsync_fname(".", true);
	return fd;
}

/* A SaJournalRead; arg points to the descriptor. */
int
sa_journal_read_block(void *arg, uint64 offset, void *block)
{
	int			fd = *(int *) arg;
	void	   *buffer = sa_journal_buffer();
	ssize_t		done;

	do
		done = pread(fd, buffer, SA_JOURNAL_BLOCK, offset);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return errno;
	if (done != SA_JOURNAL_BLOCK)
		return EIO;				/* shorter than it was made */
	memcpy(block, buffer, SA_JOURNAL_BLOCK);
	return 0;
}

/* Write a superblock to its slot, durably.  0 or an errno. */
int
sa_journal_write_super(int fd, const SaJournalSuper *super)
{
	void	   *buffer = sa_journal_buffer();
	struct iovec iov = {.iov_base = buffer, .iov_len = SA_JOURNAL_BLOCK};
	ssize_t		done;

	sa_journal_encode_super(super, buffer);
	do
		done = pwritev2(fd, &iov, 1, sa_journal_super_offset(super->serial), RWF_DSYNC);
	while (done < 0 && (errno == EINTR || errno == EAGAIN));
	if (done < 0)
		return errno;
	return done == SA_JOURNAL_BLOCK ? 0 : EIO;
}
