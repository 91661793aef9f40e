package dev.ashlar.core.snapshot;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.BlockException.Kind;
import dev.ashlar.core.BlockNode;
import dev.ashlar.core.CommonDrain;
import dev.ashlar.core.spi.SnapshotRenamable;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * One operation on the disks of a group: all or nothing under one common drain. The scheme is told in {@code docs/invariants.md}, "Groups of
 * disks" (S1–S6).
 */
final class GroupOperation {
    /** In front of the name of the snapshot that is applied: keeps what a disk held before (S3). */
    static final String BEFORE = "ashlar:before:";
    /** In front of the name of a snapshot that is being deleted (S4). */
    static final String DELETING = "ashlar:deleting:";

    private final List<GroupMember> members;
    private final String name;

    GroupOperation(List<GroupMember> members, String name) {
        this.members = members;
        this.name = name;
    }

    private interface Work {
        void run() throws BlockException;
    }

    /** Work that begins with a snapshot of every disk. What is prepared and not used is taken back before others may change the disks. */
    private long whileStandingStillForSnapshots(String verb, Work work) throws BlockException {
        return whileStandingStill(verb, this::prepareSnapshot, () -> {
            try {
                work.run();
            } finally {
                abandonSnapshots();
            }
        });
    }

    private void prepareSnapshot(GroupMember member) throws BlockException {
        boolean done = false;
        try {
            member.snapshots().prepareCreate();
            done = true;
        } finally {
            if (!done) {
                abandonSnapshots();
            }
        }
    }

    /** What can't be taken back leaks, and the disk says so when it is used next. */
    private void abandonSnapshots() {
        new GroupUndo().run(members, member -> member.snapshots().abandonCreate());
    }

    private long whileStandingStill(String verb, GroupUndo.Step preparation, Work work) throws BlockException {
        List<BlockNode> below = new ArrayList<>();
        for (GroupMember member : members) {
            below.addAll(member.below());
        }
        CommonDrain drain = CommonDrain.begin(GroupMember.nodes(members), below, () -> {
            for (GroupMember member : members) {
                try {
                    preparation.run(member);
                } catch (BlockException e) {
                    throw new GroupUndo().failure(failed(verb, member), member, e);
                }
            }
        });
        try (drain) {
            work.run();
        }
        return drain.standstillNanos();
    }

    /** What is written now needs not be written while all stand still. */
    private static void flush(GroupMember member) throws BlockException {
        member.node().flush();
    }

    GroupReport create(SnapshotRequest request, @Nullable BlockNode vmStateNode) throws BlockException {
        long nanos = whileStandingStillForSnapshots("create", () -> {
            for (int i = 0; i < members.size(); i++) {
                GroupMember member = members.get(i);
                long vmStateBytes = member.node() == vmStateNode ? request.vmStateSizeBytes() : 0;
                try {
                    member.snapshots().createPrepared(withVmState(request, vmStateBytes));
                } catch (BlockException | RuntimeException e) {
                    GroupUndo undo = new GroupUndo();
                    undo.run(members.subList(0, i), done -> done.deleteAll(name));
                    throw undo.failure(failed("create", member), member, e);
                }
            }
        });
        return report(members, nanos);
    }

    private String failed(String verb, GroupMember member) {
        return "Could not " + verb + " snapshot '" + name + "' on '" + member.name() + "'";
    }

    private static SnapshotRequest withVmState(SnapshotRequest request, long vmStateBytes) {
        return new SnapshotRequest(
                request.id(),
                request.name(),
                vmStateBytes,
                request.dateSeconds(),
                request.dateNanos(),
                request.vmClockNanos(),
                request.instructionCount());
    }

    GroupReport apply() throws BlockException {
        for (GroupMember member : members) {
            try {
                if (member.find(name).isEmpty()) {
                    throw member.notFound(name);
                }
                member.snapshots().requireApplicable();
            } catch (BlockException e) {
                throw new BlockException(e.kind(), loadFailed(member) + ": " + e.getMessage(), e.reason(), e);
            }
        }
        String before = BEFORE + name;
        int[] committed = {-1};
        long nanos = whileStandingStillForSnapshots("load", () -> {
            keepPresentState(before);
            for (int i = 0; i < members.size(); i++) {
                GroupMember member = members.get(i);
                try {
                    member.apply(name);
                } catch (BlockException | RuntimeException e) {
                    throw applyFailed(before, i, e);
                }
            }
            committed[0] = commit(before);
        });
        GroupUndo tidying = new GroupUndo();
        for (int i = 0; i < members.size(); i++) {
            if (i != committed[0]) {
                tidying.run(members.get(i), member -> member.deleteAll(before));
            }
        }
        requireTidy(tidying, "Snapshot '" + name + "' was applied on every device");
        return report(members, nanos);
    }

    private void keepPresentState(String before) throws BlockException {
        SnapshotRequest now = SnapshotRequest.named(before);
        SnapshotRequest request =
                new SnapshotRequest("", before, 0, now.dateSeconds(), now.dateNanos(), 0, OptionalLong.empty());
        for (int i = 0; i < members.size(); i++) {
            GroupMember member = members.get(i);
            try {
                member.snapshots().createPrepared(request);
            } catch (BlockException | RuntimeException e) {
                GroupUndo undo = new GroupUndo();
                undo.run(members.subList(0, i), done -> done.deleteAll(before));
                throw undo.failure(loadFailed(member), member, e);
            }
        }
    }

    /** The disks before the one that failed hold other content now, and that one perhaps. */
    private BlockException applyFailed(String before, int failed, Exception cause) {
        GroupMember member = members.get(failed);
        GroupUndo undo = new GroupUndo();
        // A refusal comes before anything was changed; any other failure leaves open what the disk holds.
        boolean refused = cause instanceof BlockException b && b.kind() == Kind.BUSY;
        if (undo.run(members.subList(0, refused ? failed : failed + 1), done -> done.apply(before))) {
            // All hold what they held; the first deletion settles it (S3).
            undo.run(members, done -> done.deleteAll(before));
        }
        return undo.failure(loadFailed(member), member, cause);
    }

    private String loadFailed(GroupMember member) {
        return failed("load", member);
    }

    /** The first deletion of a state from before makes the apply final. @return the disk on which it worked */
    private int commit(String before) throws BlockException {
        BlockException first = null;
        for (int i = 0; i < members.size(); i++) {
            try {
                members.get(i).deleteAll(before);
                return i;
            } catch (BlockException e) {
                first = first == null ? e : first;
            }
        }
        if (first == null) {
            throw new IllegalStateException("a group without disks");
        }
        throw new BlockException(
                first.kind(),
                "Snapshot '" + name + "' was applied on every device, but this could not be made final: "
                        + first.getMessage() + "; open the images again and check the group",
                first.reason(),
                first);
    }

    GroupReport delete() throws BlockException {
        List<GroupMember> having = new ArrayList<>();
        for (GroupMember member : members) {
            if (member.find(name).isPresent()) {
                requireRenamable(member);
                having.add(member);
            }
        }
        if (having.isEmpty()) {
            return report(having, 0);
        }
        String deleting = DELETING + name;
        long nanos = new GroupOperation(having, name).whileStandingStill("delete", GroupOperation::flush, () -> {
            for (int i = 0; i < having.size(); i++) {
                GroupMember member = having.get(i);
                try {
                    member.rename(name, deleting);
                } catch (BlockException | RuntimeException e) {
                    GroupUndo undo = new GroupUndo();
                    undo.run(having.subList(0, i), done -> done.rename(deleting, name));
                    throw undo.failure(failed("delete", member), member, e);
                }
            }
        });
        GroupUndo tidying = new GroupUndo();
        for (GroupMember member : having) {
            tidying.run(member, one -> one.deleteAll(deleting));
        }
        requireTidy(tidying, "Snapshot '" + name + "' is gone from every device");
        return report(having, nanos);
    }

    private void requireRenamable(GroupMember member) throws BlockException {
        BlockNode carrier = member.snapshots().carrier().orElse(member.node());
        if (carrier.capability(SnapshotRenamable.class).isEmpty()) {
            throw new BlockException(
                    Kind.UNSUPPORTED,
                    "Could not delete snapshot '" + name + "' on '" + member.name() + "': Block format '"
                            + carrier.driverName() + "' can't delete snapshots of groups, since it can't rename them");
        }
    }

    private static void requireTidy(GroupUndo tidying, String done) throws BlockException {
        String left = tidying.notPutBack();
        if (!left.isEmpty()) {
            throw new BlockException(
                    Kind.IO,
                    done + ", but there are leftovers on " + left + "; open the images again and check the group");
        }
    }

    private GroupReport report(List<GroupMember> touched, long nanos) {
        List<String> names = new ArrayList<>();
        for (GroupMember member : touched) {
            names.add(member.name());
        }
        return new GroupReport(name, names, nanos);
    }

    /** Gives every disk back what it held before an apply that was interrupted. */
    void backToBefore() throws BlockException {
        String before = BEFORE + name;
        whileStandingStill("load", GroupOperation::flush, () -> {
            for (GroupMember member : members) {
                member.apply(before);
            }
            commit(before);
        });
    }
}
