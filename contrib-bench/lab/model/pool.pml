/*
 * pool.pml
 *	  Model of the write-behind pool's slots (smgr_atomic/writebehind.c), for
 *	  spin.  Run by "make check" here, with mutations that must fail.
 *
 * One relation of BLOCKS pages, SLOTS slots, all interleavings of
 *	  owner		of a block (who has its buffer locked): hands over and reads
 *	  writer	claims, opens the file, writes, completes or queues again
 *	  drainer	a checkpoint: afterwards the file has what was accepted before
 *	  dropper	removes the file and creates it anew under the same name, which
 *				also stands for truncation: both discard first
 *
 * Each block is a partition of its own, with its lock.  What the C code does
 * without it (see_page(), bits) is interleaved step by step.  Waits are for the
 * condition itself: that wake-ups are not lost is wake.pml's subject.  A page that
 * finds no space is held, and may be claimed again at any time.
 *
 * Claims:
 *	  a reader sees the last page accepted; two writes of a block are never under
 *	  way; after a drain the file has what was accepted before it; no write is
 *	  under way on a file that goes, none comes to a file that has gone for a page
 *	  of the new one; nobody waits for ever.
 */
#define BLOCKS 2
#define SLOTS 2
#ifndef WRITERS
#define WRITERS 1
#endif
#ifndef WRITES
#define WRITES 2				/* of block 0 */
#endif
#ifndef OTHER_WRITES
#define OTHER_WRITES 1			/* of block 1 */
#endif
#ifndef DROPS
#define DROPS 1
#endif
#ifndef DRAINERS
#define DRAINERS 1
#endif
#ifndef FAILS
#define FAILS 1					/* a write of each writer finds no space, once */
#endif
#define NONE 255

#define FREE 0
#define QUEUED 1
#define IN_FLIGHT 2

/* the pool */
byte state[SLOTS];
byte key[SLOTS];				/* stays when the page goes */
byte image[SLOTS];
byte number[SLOTS];				/* NONE = no page */
bool free_bit[SLOTS];
bool queued_bit[SLOTS];
bool held_bit[SLOTS];
byte numbers = 0;
byte available = SLOTS;
byte generation = 0;
bool partition[BLOCKS];			/* locks */

/* the world */
byte incarnation = 0;			/* of the file */
byte content[(DROPS + 1) * BLOCKS];
byte accepted[BLOCKS];			/* last page handed over, 0 = none since created */
byte under_way[BLOCKS];			/* writes the device works on */
byte users = 0;					/* of the relation */
bool dropping = false;
byte working = BLOCKS + DRAINERS + 1;	/* processes that will still do something */

#define FILE(i, b) content[(i) * BLOCKS + (b)]

inline lock(b)
{
	atomic { !partition[b]; partition[b] = true }
}

inline unlock(b)
{
	partition[b] = false
}

/* result: the slot that holds a block, NONE = none; under the lock */
inline lookup(b, result)
{
	d_step {
		result = NONE;
		i = 0;
		do
		:: i < SLOTS ->
			if
			:: state[i] != FREE && key[i] == b -> result = i
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

inline remove(slot)
{
	lock(key[slot]);
	d_step { state[slot] = FREE; number[slot] = NONE };
	unlock(key[slot])
}

inline give_back(slot)
{
	free_bit[slot] = true;
	available++
}

/* Hand over the page with the next number. */
inline accept(b)
{
	atomic { available > 0 -> available-- };
	atomic {
		slot = 0;
		do
		:: free_bit[slot] -> free_bit[slot] = false; break
		:: else -> slot++; assert(slot < SLOTS)		/* granted: there is one */
		od;
		page_number = numbers;
		numbers++
	};
again:
	lock(b);
	lookup(b, old);
	if
	:: old != NONE && state[old] == QUEUED ->
		image[old] = page;
		accepted[b] = page;
		unlock(b);
		give_back(slot)
#ifndef MUTANT_TWO_FOR_ONE_BLOCK
	:: old != NONE && state[old] != QUEUED ->
		seen = number[old];
		unlock(b);
		number[old] != seen;
		goto again
	:: old == NONE ->
#else
	:: old == NONE || state[old] != QUEUED ->
#endif
		key[slot] = b;
		d_step { state[slot] = QUEUED; image[slot] = page };
		number[slot] = page_number;
		accepted[b] = page;
		queued_bit[slot] = true;
		unlock(b)
	fi
}

inline read_page(b)
{
	lock(b);
	lookup(b, old);
#ifdef MUTANT_READ_PAST_FLIGHT
	if
	:: old != NONE && state[old] == IN_FLIGHT -> old = NONE
	:: else
	fi;
#endif
	if
	:: old != NONE ->
		assert(image[old] == accepted[b]);
		unlock(b)
	:: else ->
		unlock(b);
		assert(FILE(incarnation, b) == accepted[b])
	fi
}

proctype owner(byte b)
{
	byte page = 0, slot, old, seen, page_number, i = 0;

	do
	:: page < (b == 0 -> WRITES : OTHER_WRITES) ->
		atomic { !dropping; users++ };
		page++;
		accept(b);
#if !DRAINERS
		read_page(b);
#endif
		users--
	:: else -> break
	od;
	atomic { page = 0; slot = 0; old = 0; seen = 0; page_number = 0; working-- }
}

proctype writer()
{
	byte slot = 0, file = NONE, opened_at = 0;
	bool fails = false;

end:
	do
	:: atomic {
			if
			:: queued_bit[slot] -> queued_bit[slot] = false
			:: held_bit[slot] -> held_bit[slot] = false
			fi
		};
		lock(key[slot]);
		state[slot] = IN_FLIGHT;
		unlock(key[slot]);
#ifndef MUTANT_NO_GENERATION
		if
		:: opened_at != generation -> file = NONE; opened_at = generation
		:: else
		fi;
#endif
		if
		:: file == NONE -> file = incarnation
		:: else
		fi;
#ifdef MUTANT_FREE_BEFORE_WRITTEN
		remove(slot);
#endif
		d_step { assert(under_way[key[slot]] == 0); under_way[key[slot]]++ };
		if
		:: FAILS && !fails -> fails = true; under_way[key[slot]]--;		/* no space, once */
			lock(key[slot]);
			state[slot] = QUEUED;
			held_bit[slot] = true;
			unlock(key[slot])
		:: d_step { FILE(file, key[slot]) = image[slot]; under_way[key[slot]]-- };
#ifndef MUTANT_FREE_BEFORE_WRITTEN
			remove(slot);
#endif
			give_back(slot)
		fi
	:: d_step { !queued_bit[slot] && !held_bit[slot] && (queued_bit[1 - slot] || held_bit[1 - slot]) -> slot = 1 - slot }
	od
}

/* Is a page in this slot whose number is below "before"? */
inline see_page(before)
{
	seen = number[slot];
	if
	:: seen == NONE || seen >= before -> there = false
	:: else ->
		b = key[slot];
		lock(b);
		there = number[slot] == seen;
		unlock(b)
	fi
}

inline drain()
{
	before = numbers;
	slot = 0;
	do
	:: slot < SLOTS ->
		see_page(before);
		if
#ifdef MUTANT_DRAIN_QUEUED_ONLY
		:: there -> state[slot] != QUEUED || number[slot] != seen
#else
		:: there -> number[slot] != seen
#endif
		:: else
		fi;
		slot++
	:: else -> break
	od
}

/* Checkpoints of a file; it is not dropped meanwhile. */
proctype drainer()
{
	byte slot, seen, before, b;
	bool there;
	byte had[BLOCKS];

	atomic { !dropping; users++; had[0] = accepted[0]; had[1] = accepted[1] };
	drain();
	assert(FILE(incarnation, 0) >= had[0] && FILE(incarnation, 1) >= had[1]);
	users--;
	atomic { slot = 0; seen = 0; before = 0; b = 0; there = false; had[0] = 0; had[1] = 0; working-- }
}

proctype dropper()
{
	byte slot = 0, seen, b, n = 0;
	bool there, mine, was_held;

	do
	:: n < DROPS ->
		atomic { users == 0 && !dropping; dropping = true };
#ifdef MUTANT_NO_DISCARD
		slot = SLOTS;
#else
		slot = 0;
#endif
		do
		:: slot < SLOTS ->
			see_page(NONE);
			do
			:: there && number[slot] == seen ->
				mine = false;
				was_held = false;
				atomic {
					if
					:: queued_bit[slot] -> queued_bit[slot] = false; mine = true
					:: held_bit[slot] -> held_bit[slot] = false; mine = true; was_held = true
#ifdef MUTANT_DISCARD_DOES_NOT_WAIT
					:: else -> there = false
#else
					:: !queued_bit[slot] && !held_bit[slot] && number[slot] != seen
#endif
					fi
				};
				if
				:: mine && number[slot] == seen ->
					remove(slot);
					give_back(slot)
				:: mine && number[slot] != seen && was_held -> held_bit[slot] = true
				:: mine && number[slot] != seen && !was_held -> queued_bit[slot] = true
				:: else
				fi
			:: else -> break
			od;
			slot++
		:: else -> break
		od;
#ifndef MUTANT_GENERATION_LATE
		generation++;
#endif
#ifndef MUTANT_NO_DISCARD
		assert(under_way[0] == 0 && under_way[1] == 0);
#endif
		d_step {
			incarnation++;
			accepted[0] = 0;
			accepted[1] = 0
		};
		dropping = false;
#ifdef MUTANT_GENERATION_LATE
		generation++;
#endif
		n++
	:: else -> break
	od;
	atomic { slot = 0; seen = 0; b = 0; n = 0; there = false; mine = false; was_held = false; working-- }
}

/* When all is quiet, the last drain. */
proctype last()
{
	byte slot, seen, before, b;
	bool there;

	working == 0;
	drain();
	assert(FILE(incarnation, 0) == accepted[0] && FILE(incarnation, 1) == accepted[1])
}

init
{
	byte i = 0;

	atomic {
		do
		:: i < SLOTS ->
			number[i] = NONE;
			free_bit[i] = true;
			i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < WRITERS -> run writer(); i++
		:: else -> break
		od;
		i = 0;
		run owner(0);
		run owner(1);
		do
		:: i < DRAINERS -> run drainer(); i++
		:: else -> break
		od;
		i = 0;
		run dropper();
		if
		:: DRAINERS == 0 -> run last()
		:: else
		fi
	}
}
