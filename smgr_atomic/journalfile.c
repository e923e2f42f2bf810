/*-------------------------------------------------------------------------
 *
 * journalfile.c
 *	  The file that holds the page journal, and the marker that names it.
 *
 * The journal is a file of fixed size, written full of zeroes and made durable
 * before it is used, so that later writes only overwrite.  By default it lies
 * in the data directory under a name that begins with pgsql_tmp: base backups
 * pass over such names.  pg_rewind copies it; what it then belongs to has a
 * backup_label, with which no journal is used (see repair.c).
 *
 * The marker is a small text file in the data directory itself.  It is there,
 * durably, from before the first page goes to the journal until every page is
 * in place again and the journal given up.  A start after a crash that finds a
 * marker needs the journal it names.  It also names the directory it was written
 * in: a copy of the data directory has the marker too, but is not the one whose
 * journal that is.
 *
 * The lock.  Two servers must never write one journal.  The postmaster holds a
 * lock that belongs to the open file (F_OFD_SETLK); its children inherit the
 * file, so it is held until the last of them has ended.  A new journal is made
 * under another name, and takes the name of an old one while that is locked; so
 * who gets a lock has to see whether the file still has its name.
 *
 * What is written here is synced with fsync = off too (pg_rewind starts a server
 * that way, which repairs): nothing else has it.
 *
 * Functions return an open file or -1 with a reason for people, or 0 or an
 * errno; those about the marker raise errors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "catalog/pg_tablespace_d.h"
#include "common/file_perm.h"
#include "common/relpath.h"
#include "storage/block.h"
#include "storage/fd.h"

#include "journalfile.h"
#include "smgr_atomic.h"

#define MARKER SA_JOURNAL_NAME
#define MARKER_TMP SA_JOURNAL_NAME ".tmp"
#define LINK_TRIES 100
#define LINK_PAUSE_US 10000
#define UNFINISHED ".new"		/* behind the name of a journal that is being made */
#define MARKER_FORMAT "smgr_atomic journal 1"
#define LOCK_TRIES 50
#define LOCK_PAUSE_US 100000
#define ZERO_BLOCKS 16

/* ---- the marker ---- */

/* As fsync_fname(), but also with fsync = off.  0 or an errno. */
static int
sync_path(const char *path, int flags)
{
	int			fd = open(path, flags | O_CLOEXEC);
	int			error = fd < 0 || fsync(fd) != 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return error;
}

/* Of the file at path, into MAXPGPATH bytes; relative to the data directory. */
static void
directory_of(const char *path, char *directory)
{
	strlcpy(directory, path, MAXPGPATH);
	get_parent_directory(directory);
	if (directory[0] == '\0')
		strlcpy(directory, ".", MAXPGPATH);
}

/* Give a file a new name, durably, in the place of whatever has it.  0 or an errno. */
static int
rename_durably(const char *from, const char *to)
{
	char		directory[MAXPGPATH];

	if (rename(from, to) != 0)
		return errno;
	directory_of(to, directory);
	return sync_path(directory, O_RDONLY | O_DIRECTORY);
}

/* What the marker says of where it was written; into MAXPGPATH + 16 bytes. */
static void
directory_line(char *line)
{
	char		here[MAXPGPATH];

	/* the system's answer has no symbolic links in it, whichever way the server came here */
	snprintf(line, MAXPGPATH + 16, "directory %s\n", getcwd(here, sizeof(here)) != NULL ? here : "unknown");
}

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
	char		here[MAXPGPATH + 16];
	bool		ok;

	if (file == NULL && errno == ENOENT)
		return false;
	if (file == NULL)
		ereport(FATAL,
				(errcode_for_file_access(), errmsg("could not open file \"%s\": %m", MARKER)));
	ok = fgets(line, sizeof(line), file) != NULL && strcmp(line, MARKER_FORMAT "\n") == 0 &&
		fgets(line, sizeof(line), file) != NULL && strncmp(line, "path ", 5) == 0 &&
		strlen(line) > 6 && strlen(line) - 6 < MAXPGPATH &&
		fscanf(file, "uuid %32s\ngeneration %llu\n", uuid, &generation) == 2 &&
		strlen(uuid) == 2 * SA_JOURNAL_UUID;
	strlcpy(marker->path, ok ? line + 5 : "", MAXPGPATH);
	marker->path[strcspn(marker->path, "\n")] = '\0';
	directory_line(here);
	marker->original = ok && fgets(line, sizeof(line), file) != NULL && strcmp(line, here) == 0;
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
	marker->generation = generation;
	return true;
}

/*
 * Durable when this returns, with this directory as the one it belongs to.  Any
 * process of the server.  False if it cannot be, below ERROR.
 */
bool
sa_marker_write(const SaMarker *marker, int elevel)
{
	char		uuid[2 * SA_JOURNAL_UUID + 1];
	char		here[MAXPGPATH + 16];
	FILE	   *file = AllocateFile(MARKER_TMP, "w");
	bool		ok;

	directory_line(here);
	for (int i = 0; i < SA_JOURNAL_UUID; i++)
		snprintf(uuid + 2 * i, 3, "%02x", marker->uuid[i]);
	ok = file != NULL &&
		fprintf(file, MARKER_FORMAT "\npath %s\nuuid %s\ngeneration %llu\n%s",
				marker->path, uuid, (unsigned long long) marker->generation, here) > 0;
	if (file != NULL && FreeFile(file) != 0)
		ok = false;
	if (ok && (errno = sync_path(MARKER_TMP, O_RDWR)) == 0 && (errno = rename_durably(MARKER_TMP, MARKER)) == 0)
		return true;
	ereport(elevel,
			(errcode_for_file_access(), errmsg("could not write file \"%s\": %m", MARKER_TMP)));
	return false;
}

/*
 * Durable when this returns; nothing if there is none.  A marker that stays is
 * harmless as long as its journal does.
 */
void
sa_marker_remove(int elevel)
{
	if (unlink(MARKER) == 0)
		errno = sync_path(".", O_RDONLY | O_DIRECTORY);
	if (errno != 0 && errno != ENOENT)
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

/* Is there something with this name that leads nowhere?  With errno. */
static bool
leads_nowhere(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && stat(path, &st) != 0;
}

/* Is this a directory with nothing in it? */
static bool
is_empty(const char *path)
{
	DIR		   *dir = opendir(path);
	struct dirent *entry;
	int			found = 0;

	if (dir == NULL)
		return false;
	while (found == 0 && (entry = readdir(dir)) != NULL)
		found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	errno = ENOENT;
	return found == 0;
}

/*
 * Look once for what sa_journal_lost_directory() is about: false if all is there
 * or has been removed by the server.
 */
static bool
lacks_directory(const SaJournalKey *key, bool strict, char *path)
{
	struct stat st;

	if (key->tablespace == DEFAULTTABLESPACE_OID)
		snprintf(path, MAXPGPATH, "base/%u", key->database);
	else
	{
		snprintf(path, MAXPGPATH, "pg_tblspc/%u", key->tablespace);
		if (lstat(path, &st) != 0 && errno == ENOENT)
			return strict;
		snprintf(path, MAXPGPATH, "pg_tblspc/%u/%s", key->tablespace, TABLESPACE_VERSION_DIRECTORY);
		if (stat(path, &st) != 0)
			return true;
		snprintf(path, MAXPGPATH, "pg_tblspc/%u/%s/%u", key->tablespace, TABLESPACE_VERSION_DIRECTORY, key->database);
	}
	return leads_nowhere(path) || (strict && key->tablespace == DEFAULTTABLESPACE_OID && is_empty(path));
}

/*
 * There is no such file: is that so because a device is not there?  Then true,
 * with errno, and what is missing in path, of MAXPGPATH bytes.  That may be
 *
 * - what a tablespace, or a database's directory, is linked to;
 * - strict: the link of a tablespace, or what was mounted on a database's directory,
 *	 which is empty without.  (But in other tablespaces than the default one it may
 *	 be empty otherwise.)
 *
 * Strict is for the start of what was a primary: no tablespace is dropped before the
 * copies of its pages are void, and its link is durable before there are any
 * (guard.c), but not if redo has made it.  In a running server the directory of a
 * database that is being removed, or was to be created, is empty for as long as it
 * takes to remove it.
 *
 * Waits a second: who removes a tablespace removes the directory before the link.
 */
bool
sa_journal_lost_directory(const SaJournalKey *key, bool strict, char *path)
{
	if (key->tablespace == GLOBALTABLESPACE_OID)
		return false;
	for (int i = 0; lacks_directory(key, strict, path); i++)
	{
		if (i == LINK_TRIES)
			return true;
		pg_usleep(LINK_PAUSE_US);
	}
	return false;
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

/* Does the open file still have this name? */
static bool
is_named(int fd, const char *path)
{
	struct stat by_fd,
				by_name;

	return fstat(fd, &by_fd) == 0 && stat(path, &by_name) == 0 &&
		by_fd.st_dev == by_name.st_dev && by_fd.st_ino == by_name.st_ino;
}

/*
 * Open, perhaps make, and lock a journal.  -1 with errno and a reason; ENOENT if
 * there is none.
 */
static int
open_and_lock(const char *path, int flags, char *reason, size_t size)
{
	for (;;)
	{
		int			fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC | PG_BINARY | flags, pg_file_create_mode);

		if (fd < 0)
			return refuse(fd, reason, size, path, flags == 0 ? "could not open it" : "could not create it");
		if (!lock_file(fd, F_WRLCK))
			return refuse(fd, reason, size, path, "another server uses it");
		if (is_named(fd, path))
			return fd;
		close(fd);				/* removed or replaced by who had the lock */
	}
}

/*
 * Open and lock an existing journal.  -1 with errno and a reason; ENOENT if
 * there is none.
 */
int
sa_journal_open(const char *path, char *reason, size_t size)
{
	return open_and_lock(path, 0, reason, size);
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

/*
 * Close it and let others have it, although a child that lives longer than the
 * server's other processes, the collector of its log, has inherited it.
 */
void
sa_journal_close(int fd)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	(void) fcntl(fd, F_OFD_SETLK, &lock);
	close(fd);
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
 * Make a journal that is to lie at path: locked, full of zeroes, durable but for
 * its superblock, and under another name until sa_journal_install().
 */
int
sa_journal_create(const char *path, uint32 section_blocks, char *reason, size_t size)
{
	char		unfinished[MAXPGPATH];
	int			fd;

	errno = ENAMETOOLONG;
	if (snprintf(unfinished, MAXPGPATH, "%s" UNFINISHED, path) >= MAXPGPATH)
		return refuse(-1, reason, size, path, "could not create it");
	if (strcmp(sa_journal_directory, SA_JOURNAL_DEFAULT_DIRECTORY) == 0 &&
		mkdir(sa_journal_directory, pg_dir_create_mode) != 0 && errno != EEXIST)
		return refuse(-1, reason, size, path, "could not create its directory");
	fd = open_and_lock(unfinished, O_CREAT, reason, size);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, 0) != 0 || !fill_with_zeroes(fd, sa_journal_file_size(section_blocks)))
	{
		int			error = errno;

		unlink(unfinished);
		errno = error;
		return refuse(fd, reason, size, path, "could not write it full of zeroes");
	}
	return fd;
}

/*
 * Give a journal that was made, with its superblock, its name, durably, in the
 * place of whatever has it, which the caller has locked.  0 or an errno.
 */
int
sa_journal_install(const char *path)
{
	char		unfinished[MAXPGPATH];
	int			error;

	snprintf(unfinished, MAXPGPATH, "%s" UNFINISHED, path);
	error = rename_durably(unfinished, path);
	if (error == 0)
		error = sync_path(".", O_RDONLY | O_DIRECTORY);	/* the directory may be new */
	return error;
}

/* Remove a journal that was made and does not get its name. */
void
sa_journal_discard(const char *path)
{
	char		unfinished[MAXPGPATH];

	snprintf(unfinished, MAXPGPATH, "%s" UNFINISHED, path);
	(void) unlink(unfinished);
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
