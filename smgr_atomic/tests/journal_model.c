/*-------------------------------------------------------------------------
 *
 * journal_model.c
 *	  The journal's ring, format and reader against a model of a disk that
 *	  loses power.
 *
 *	  journal_model [--break RULE] FIRST_SEED COUNT
 *
 * Each seed is one life of a small cluster: pages of three relations are
 * written through the journal by several writers at once, relations are
 * truncated and written again past the journal or grow again from zeroes, sections are
 * retired, checkpoints complete.  Then the power is cut: of what was not flushed, any
 * sectors may be there and any not.  What the real reader then restores must leave
 * every page whole, of the relation's present incarnation, and not older than what was
 * durable; or empty, if it was added since the redo point.
 *
 * The writers' protocol here is the one of doublewrite.c, written again in few
 * lines.  --break leaves one of its rules out; the model must then find damage.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "journal.h"

#define BLOCK SA_JOURNAL_BLOCK
#define SECTOR 512
#define SECTORS (BLOCK / SECTOR)
#define RELATIONS 3
#define BLOCKS 6				/* of a relation */
#define PAGES (RELATIONS * BLOCKS)
#define SECTION_BLOCKS 7
#define BATCHES 3				/* under way at a time */
#define PENDING_MAX 4096
#define FILE_SIZE (SA_JOURNAL_RING + SA_JOURNAL_SECTIONS * SECTION_BLOCKS * BLOCK)

/* A device: what is on the medium, and writes that are in its cache. */
typedef struct Pending
{
	uint64		offset;
	char		data[BLOCK];
} Pending;

typedef struct Device
{
	char	   *medium;
	char	   *seen;			/* medium with all pending writes */
	uint64		size;
	int			count;
	Pending	   *pending;
} Device;

/* First bytes of each sector after the LSN's place. */
typedef struct Tag
{
	uint32		page;
	uint32		incarnation;
	uint32		version;
	uint32		sector;
} Tag;

typedef struct PageState
{
	bool		in_flight;
	bool		bypassed;		/* written past the journal and not flushed since */
	bool		exists;
	uint32		incarnation;
	uint32		added;			/* when, as zeroes; 0 = with content */
	uint32		version;		/* last handed over */
	uint32		placed;			/* last version written to its place */
	uint32		durable;		/* version flushed in place, of this incarnation */
	bool		durable_exists;
} PageState;

typedef struct Batch
{
	int			step;			/* 0 = none, 1 = reserved, 2 = journal durable */
	int			count;
	int			copies;
	uint32		start;			/* of the first copy, */
	uint32		blocks;			/* and of all */
	uint32		begun;
	uint32		wal;
	int			pages[SECTION_BLOCKS];
	int			placed;
	SaRingPlace place;
	char		images[SECTION_BLOCKS][BLOCK];
	SaJournalEntry entries[SECTION_BLOCKS];
	char		room[(SECTION_BLOCKS + 1) * BLOCK];	/* as it goes to the device */
} Batch;

static Device data_device,
			journal_device;
static SaRing ring;
static SaJournalSuper super;
static PageState pages[PAGES];
static Batch batches[BATCHES];
static uint32 clock_;			/* versions and LSNs */
static uint32 redo_begun;		/* of the checkpoint that began last, */
static uint32 redo;				/* and of the one that was complete last */
static const char *broken = "";
static uint64 random_state;

static uint32
roll(uint32 limit)
{
	random_state = random_state * UINT64CONST(6364136223846793005) + UINT64CONST(1442695040888963407);
	return (uint32) (random_state >> 33) % limit;
}

static bool
breaks(const char *rule)
{
	return strcmp(broken, rule) == 0;
}

/* ---- devices ---- */

static void
device_init(Device *device, uint64 size)
{
	if (device->medium == NULL)
	{
		device->medium = malloc(size);
		device->seen = malloc(size);
		device->pending = malloc(sizeof(Pending) * PENDING_MAX);
	}
	device->size = size;
	device->count = 0;
	memset(device->medium, 0, size);
	memset(device->seen, 0, size);
}

static void
device_flush(Device *device)
{
	memcpy(device->medium, device->seen, device->size);
	device->count = 0;
}

static void
device_write(Device *device, uint64 offset, const void *block)
{
	if (device->count == PENDING_MAX)
		device_flush(device);
	device->pending[device->count].offset = offset;
	memcpy(device->pending[device->count++].data, block, BLOCK);
	memcpy(device->seen + offset, block, BLOCK);
}

/* A block of a file that grows: what was there before is gone for good. */
static void
device_zero(Device *device, uint64 offset)
{
	memset(device->seen + offset, 0, BLOCK);
	memset(device->medium + offset, 0, BLOCK);
	for (int i = 0; i < device->count; i++)
	{
		if (device->pending[i].offset == offset)
			memset(device->pending[i].data, 0, BLOCK);
	}
}

/* Any of the unflushed sectors, or of the unflushed blocks, arrive. */
static void
device_cut(Device *device)
{
	uint32		survive = roll(5);
	bool		blocks = roll(2) == 0;

	for (int i = 0; i < device->count; i++)
	{
		bool		arrives = roll(4) < survive;

		for (int s = 0; s < SECTORS; s++)
		{
			if (blocks ? arrives : roll(4) < survive)
				memcpy(device->medium + device->pending[i].offset + s * SECTOR,
					   device->pending[i].data + s * SECTOR, SECTOR);
		}
	}
	device->count = 0;
	memcpy(device->seen, device->medium, device->size);
}

static int
read_journal(void *arg, uint64 offset, void *block)
{
	memcpy(block, journal_device.seen + offset, BLOCK);
	return 0;
}

/* ---- pages ---- */

static SaJournalKey
key_of(int page)
{
	SaJournalKey key = {1663, 5, 100 + page / BLOCKS, 0, page % BLOCKS};

	return key;
}

/* Every other page keeps its LSN, as a visibility map does.  Some do not become smaller when they are packed. */
static void
make_image(char *image, int page, uint32 incarnation, uint32 version)
{
	uint32		lsn[2] = {0, page % 2 == 0 ? version : 0};
	uint32		noise = version;

	memset(image, 0, BLOCK);
	for (int i = 0; i < BLOCK && page % 3 == 0; i++)
		image[i] = (char) ((noise = noise * 1664525 + 1013904223) >> 24);
	for (uint32 s = 0; s < SECTORS; s++)
	{
		Tag			tag = {page, incarnation, version, s};

		memcpy(image + s * SECTOR + 8, &tag, sizeof(tag));
	}
	memcpy(image, lsn, sizeof(lsn));
}

/* Everything in the data device is durable now. */
static void
sync_data(void)
{
	device_flush(&data_device);
	for (int i = 0; i < PAGES; i++)
	{
		pages[i].durable = pages[i].placed;
		pages[i].durable_exists = pages[i].exists;
		pages[i].bypassed = false;
	}
}

/* ---- the writers' protocol ---- */

static void
write_super(uint64 window_start)
{
	char		block[BLOCK];

	super.window_start = window_start;
	super.serial++;
	sa_journal_encode_super(&super, block);
	device_write(&journal_device, sa_journal_super_offset(super.serial), block);
}

/* Each step returns; the power may be cut between any two. */
static bool
retire(int step, int *count)
{
	switch (step)
	{
		case 0:
			*count = sa_ring_retirable(&ring);
			if (breaks("outstanding") && ring.live > 1)
				*count = (int) ring.live - 1;
			return *count > 0;
		case 1:
			if (!breaks("sync"))
				sync_data();
			return true;
		case 2:
			if (!breaks("window"))
				write_super(sa_ring_window_after(&ring, *count));
			return true;
		case 3:
			device_flush(&journal_device);
			return true;
		default:
			sa_ring_retire(&ring, *count);
			return false;
	}
}

/* Can recovery make it from zeroes?  wal: of the checkpoint that began last. */
static bool
is_new(int page, uint32 wal)
{
	return pages[page].added > (breaks("new-redo") ? 0 : breaks("new-complete") ? redo : wal);
}

static int
compare_new(const void *a, const void *b)
{
	return (int) is_new(*(const int *) a, redo_begun) - (int) is_new(*(const int *) b, redo_begun);
}

/* The batch as it goes to the device, but for its header; packed or not. */
static void
lay_out(Batch *batch, bool packed)
{
	uint32		bytes = batch->start = packed ? sa_journal_packed_start(batch->count) : BLOCK;

	memset(batch->entries, 0, sizeof(batch->entries));
	for (int i = 0; i < batch->count; i++)
	{
		SaJournalEntry *entry = &batch->entries[i];

		entry->key = key_of(batch->pages[i]);
		entry->crc = sa_journal_page_crc(batch->images[i]);
		entry->lsn = sa_journal_page_lsn(batch->images[i]);
		if (i >= batch->copies)
			continue;
		entry->length = BLOCK;
		if (packed)
			entry->length = sa_journal_pack(batch->images[i], batch->room + bytes);
		else
			memcpy(batch->room + bytes, batch->images[i], BLOCK);
		bytes += entry->length;
	}
	batch->blocks = sa_journal_blocks(bytes);
	memset(batch->room + bytes, 0, batch->blocks * BLOCK - bytes);
}

static void
start_batch(Batch *batch)
{
	int			wanted = 1 + roll(sa_journal_batch_max(ring.section_blocks));

	batch->count = 0;
	for (int tries = 0; tries < 3 * wanted && batch->count < wanted; tries++)
	{
		int			page = roll(PAGES);

		if (pages[page].in_flight || !pages[page].exists)
			continue;
		batch->pages[batch->count++] = page;
		pages[page].in_flight = true;
	}
	if (batch->count == 0)
		return;
	batch->begun = ++clock_;
	batch->wal = redo_begun;
	qsort(batch->pages, batch->count, sizeof(int), compare_new);
	for (batch->copies = 0; batch->copies < batch->count; batch->copies++)
	{
		if (is_new(batch->pages[batch->copies], batch->wal))
			break;
	}
	for (int i = 0; i < batch->count; i++)
		make_image(batch->images[i], batch->pages[i], pages[batch->pages[i]].incarnation, clock_ + 1 + i);
	lay_out(batch, roll(2) == 0);
	if (!sa_ring_reserve(&ring, batch->count, batch->copies, batch->blocks, &batch->place))
	{
		for (int i = 0; i < batch->count; i++)
			pages[batch->pages[i]].in_flight = false;
		return;
	}
	for (int i = 0; i < batch->count; i++)
		pages[batch->pages[i]].version = ++clock_;
	batch->placed = 0;
	batch->step = 1;
}

static void
journal_batch(Batch *batch)
{
	sa_journal_encode_header(&super, SA_JOURNAL_PAGES, &batch->place, batch->wal, batch->entries, batch->count,
							 batch->copies, batch->start, batch->room);
	for (uint32 i = 0; i < batch->blocks; i++)
		device_write(&journal_device, batch->place.offset + (uint64) i * BLOCK, batch->room + (Size) i * BLOCK);
}

static void
place_page(Batch *batch)
{
	PageState  *page = &pages[batch->pages[batch->placed]];

	device_write(&data_device, (uint64) batch->pages[batch->placed] * BLOCK, batch->images[batch->placed]);
	page->placed = page->version;
	page->in_flight = false;
	batch->placed++;
	sa_ring_done(&ring, batch->place.section, 1);
	if (batch->placed == batch->count)
		batch->step = 0;
}

/* Blocks of zeroes, as the server adds them to a file. */
static void
grow(int relation)
{
	for (int b = 0; b < BLOCKS; b++)
	{
		PageState  *page = &pages[relation * BLOCKS + b];

		page->incarnation++;
		page->added = ++clock_;
		page->version = page->placed = page->durable = 0;
		page->exists = page->durable_exists = true;
		page->bypassed = false;
		device_zero(&data_device, (uint64) (relation * BLOCKS + b) * BLOCK);
	}
}

/*
 * Truncate a relation to nothing and write it again past the journal, durably,
 * as an index build does that logs nothing; or let it grow again.  Returns false when
 * out of room.
 */
static bool
rebuild(int relation, int step)
{
	SaJournalKey key = key_of(relation * BLOCKS);
	SaJournalEntry entry = {.key = key};
	static SaRingPlace place;
	char		block[BLOCK];

	entry.key.fork = SA_JOURNAL_ANY_FORK;
	switch (step)
	{
		case 0:
			for (int b = 0; b < BLOCKS; b++)
			{
				if (pages[relation * BLOCKS + b].in_flight)
					return false;
			}
			return sa_ring_reserve(&ring, 0, 0, 1, &place);
		case 1:
			if (!breaks("forget-sync"))
				sync_data();
			return true;
		case 2:
			if (!breaks("forget"))
			{
				sa_journal_encode_header(&super, SA_JOURNAL_FORGET, &place, 0, &entry, 1, 0, BLOCK, block);
				device_write(&journal_device, place.offset, block);
			}
			return true;
		case 3:
			device_flush(&journal_device);
			sa_ring_done(&ring, place.section, 1);
			return true;
		case 4:
			/* the file is short now; metadata is not what this is about */
			for (int b = 0; b < BLOCKS; b++)
			{
				PageState  *page = &pages[relation * BLOCKS + b];

				page->exists = page->durable_exists = false;
			}
			return true;
		default:
			if (roll(2))
			{
				grow(relation);
				return false;
			}
			for (int b = 0; b < BLOCKS; b++)
			{
				PageState  *page = &pages[relation * BLOCKS + b];

				page->incarnation++;
				page->added = 0;
				page->version = page->placed = ++clock_;
				page->exists = page->durable_exists = page->bypassed = true;
				page->durable = 0;
				make_image(block, relation * BLOCKS + b, page->incarnation, page->version);
				device_write(&data_device, (uint64) (relation * BLOCKS + b) * BLOCK, block);
			}
			if (roll(2))
				sync_data();
			return false;
	}
}

/* Pages that are on their way when it begins are durable when it is complete. */
static bool
checkpoint(int *step)
{
	switch (*step)
	{
		case 0:
			redo_begun = ++clock_;
			break;
		case 1:
			for (int i = 0; i < BATCHES; i++)
			{
				if (batches[i].step != 0 && batches[i].begun < redo_begun)
					return true;	/* waits */
			}
			break;
		case 2:
			sync_data();
			break;
		default:
			redo = redo_begun;
			*step = -1;
			return false;
	}
	(*step)++;
	return true;
}

/* ---- a life, the cut, and what must be true ---- */

static void
live(void)
{
	int			lifetime = 20 + roll(400);
	int			checkpoint_step = -1,
				retire_step = -1,
				retire_count = 0,
				rebuild_step = -1,
				rebuilt = 0;

	for (int i = 0; i < lifetime; i++)
	{
		Batch	   *batch = &batches[roll(BATCHES)];
		uint32		what = roll(100);

		if (what < 6 && rebuild_step < 0)
		{
			rebuilt = roll(RELATIONS);
			rebuild_step = 0;
		}
		else if (retire_step < 0 && what < 16)
		{
			if (what == 6)
				sa_ring_seal(&ring);
			retire_step = 0;
		}
		else if (what == 16 && checkpoint_step < 0)
			checkpoint_step = 0;
		if (checkpoint_step >= 0 && what % 4 == 0)
			(void) checkpoint(&checkpoint_step);
		else if (rebuild_step >= 0 && what < 50)
			rebuild_step = rebuild(rebuilt, rebuild_step) ? rebuild_step + 1 : -1;
		else if (retire_step >= 0 && what < 70)
			retire_step = retire(retire_step, &retire_count) ? retire_step + 1 : -1;
		else if (batch->step == 0)
		{
			if (rebuild_step < 0)
				start_batch(batch);
		}
		else if (batch->step == 1)
		{
			journal_batch(batch);
			if (!breaks("journal-flush") && roll(40) == 0)
				return;			/* cut in the middle of it */
			if (!breaks("journal-flush"))
				device_flush(&journal_device);
			batch->step = 2;
		}
		else
			place_page(batch);
		if (roll(200) == 0)
			sync_data();
	}
}

/* As repair.c does it. */
static void
repair(int page, const SaJournalScan *scan)
{
	SaJournalKey key = key_of(page);
	char	   *in_place = data_device.seen + (uint64) page * BLOCK;

	for (size_t i = 0; i < scan->count; i++)
	{
		char		copy[BLOCK];
		bool		whole;

		if (!sa_journal_same_page(&scan->copies[i].key, &key))
			continue;
		if (scan->copies[i].offset == 0)
		{
			size_t		count = 1;

			while (i + count < scan->count && sa_journal_same_page(&scan->copies[i + count].key, &key))
				count++;
			if (!breaks("new-empty") && sa_journal_must_empty(in_place, &scan->copies[i], count))
				memset(in_place, 0, BLOCK);
			return;
		}
		(void) sa_journal_read_copy(read_journal, NULL, &scan->copies[i], copy, &whole);
		if (!whole && !breaks("crc"))
			continue;
		if (sa_journal_must_restore(in_place, copy, false))
			memcpy(in_place, copy, BLOCK);
		return;
	}
}

static bool
is_zero(const char *page)
{
	return page[0] == 0 && memcmp(page, page + 1, BLOCK - 1) == 0;
}

/* Returns what is wrong with a page, NULL if nothing is. */
static const char *
judge(int number)
{
	const PageState *page = &pages[number];
	const char *in_place = data_device.seen + (uint64) number * BLOCK;
	Tag			first,
				tag;

	if (!page->exists || page->bypassed)
		return NULL;			/* redo makes it again */
	if (is_zero(in_place))
	{
		if (page->added == 0)
			return "empty";
		return page->added > redo || page->durable == 0 ? NULL : "empty, and recovery begins behind what made it";
	}
	memcpy(&first, in_place + 8, sizeof(first));
	for (uint32 s = 0; s < SECTORS; s++)
	{
		memcpy(&tag, in_place + s * SECTOR + 8, sizeof(tag));
		if (tag.page != (uint32) number || tag.sector != s)
			return "not this page";
		if (tag.version != first.version || tag.incarnation != first.incarnation)
			return "torn";
	}
	if (first.incarnation != page->incarnation)
		return "of an earlier incarnation";
	if (first.version < page->durable)
		return "older than what was durable";
	return NULL;
}

static const char *
one_life(uint64 seed)
{
	SaJournalScan scan;
	SaJournalSuper found;
	bool		is_there;
	const char *wrong = NULL;

	random_state = seed * 2862933555777941757 + 3037000493;
	clock_ = redo = redo_begun = 0;
	device_init(&data_device, (uint64) PAGES * BLOCK);
	device_init(&journal_device, FILE_SIZE);
	memset(batches, 0, sizeof(batches));
	sa_ring_init(&ring, SECTION_BLOCKS);
	memset(&super, 0, sizeof(super));
	super.system_identifier = 77;
	super.generation = 1 + seed % 3;
	super.section_blocks = SECTION_BLOCKS;
	write_super(1);
	device_flush(&journal_device);
	for (int i = 0; i < PAGES; i++)
	{
		memset(&pages[i], 0, sizeof(PageState));
		pages[i].exists = true;
		pages[i].incarnation = 1;
		make_image(data_device.seen + (uint64) i * BLOCK, i, 1, 0);
	}
	sync_data();

	live();
	device_cut(&data_device);
	device_cut(&journal_device);

	if (sa_journal_read_super(read_journal, NULL, &found, &is_there) != 0 || !is_there)
		return "no superblock";
	if (sa_journal_scan(read_journal, NULL, &found, redo, &scan) != 0)
		return "scan failed";
	for (int i = 0; i < PAGES; i++)
	{
		if (!breaks("repair"))
			repair(i, &scan);
		if (wrong == NULL)
			wrong = judge(i);
	}
	sa_journal_scan_free(&scan);
	return wrong;
}

int
main(int argc, char **argv)
{
	int			arg = 1;
	uint64		first,
				count,
				damaged = 0;

	if (argc == 5 && strcmp(argv[1], "--break") == 0)
	{
		broken = argv[2];
		arg = 3;
	}
	if (argc != arg + 2)
	{
		fprintf(stderr, "usage: journal_model [--break RULE] FIRST_SEED COUNT\n");
		return 2;
	}
	first = strtoull(argv[arg], NULL, 10);
	count = strtoull(argv[arg + 1], NULL, 10);
	for (uint64 seed = first; seed < first + count; seed++)
	{
		const char *wrong = one_life(seed);

		if (wrong == NULL)
			continue;
		if (damaged++ == 0)
			printf("seed %llu: a page is %s\n", (unsigned long long) seed, wrong);
	}
	printf("%llu lives, %llu with damage\n", (unsigned long long) count, (unsigned long long) damaged);
	return damaged != 0;
}
