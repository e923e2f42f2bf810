/*-------------------------------------------------------------------------
 *
 * journalfile.c
 *	  The file that holds the page journal.
 *
 * The journal is a file of fixed size, written full of zeroes and made durable
 * before it is used, so that later writes only overwrite.  By default it lies
 * in the data directory under a name that begins with pgsql_tmp: base backups
 * pass over such names.  pg_rewind copies it; what it then belongs to has a
 * backup_label, with which no journal is used (see repair.c).
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
 * errno.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/file_perm.h"
#include "storage/fd.h"

#include "journalfile.h"
#include "smgr_atomic.h"

#define UNFINISHED ".new"		/* behind the name of a journal that is being made */
#define LOCK_TRIES 50
#define LOCK_PAUSE_US 100000
#define ZERO_BLOCKS 16

/* As fsync_fname(), but also with fsync = off.  0 or an errno. */
int
sa_journal_sync_path(const char *path, int flags)
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
int
sa_journal_rename(const char *from, const char *to)
{
	char		directory[MAXPGPATH];

	if (rename(from, to) != 0)
		return errno;
	directory_of(to, directory);
	return sa_journal_sync_path(directory, O_RDONLY | O_DIRECTORY);
}

/* Where the journal lies according to the settings, into MAXPGPATH bytes. */
void
sa_journal_path(char *path)
{
	snprintf(path, MAXPGPATH, "%s/%s", sa_journal_directory, SA_JOURNAL_NAME);
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
	error = sa_journal_rename(unfinished, path);
	if (error == 0)
		error = sa_journal_sync_path(".", O_RDONLY | O_DIRECTORY);	/* the directory may be new */
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
