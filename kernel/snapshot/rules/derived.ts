/**
 * The classes whose objects a snapshot leaves out because a restored kernel makes them again.
 * Neighbours: state.ts, host.ts, fields.ts (what a field gets that holds one).
 */

/** Caches, scratch, and counts that are taken again. */
export const DERIVED_CLASSES: readonly string[] = (`
  ChargedFrames CpuInfo DomainLook Fault FileWindows FramePool FrameQuarantine FreePages FutexKey
  HeapWatch HeldFrames HeldMemory HostDescriptors HostUse KnownFrames Measured MemoryFrames
  MemoryUsers PageCounts PatchCache PatchedPage Quiescence Quota RecordTable ResidentCount Scratch
  SearchState SharedRecords SpinPolicy TableNode Tlb TlbPool UseCount VictimSearch WaitingFrames
  Walk Window WriteRun
`).trim().split(/\s+/);

/**
 * What the Gofer and the host's network have answered, and answer again: names, listings,
 * attributes, fids, descriptors of files that no guest has open, links and addresses.
 */
export const FETCHED_CLASSES: readonly string[] = (`
  FetchedNames FidCache HostLinks HostTransport IdleFiles ListingCache MissingNames NetlinkClient
  OpenAhead ScanBatch ScannedDir ScannedTree Trail TreeScan
`).trim().split(/\s+/);
