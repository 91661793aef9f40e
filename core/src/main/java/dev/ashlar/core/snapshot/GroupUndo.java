package dev.ashlar.core.snapshot;

import dev.ashlar.core.BlockException;
import java.util.List;

/** Takes back what a group operation did before it failed, and finds the words for the whole. */
final class GroupUndo {
    /** One step of the way back. */
    @FunctionalInterface
    interface Step {
        void run(GroupMember member) throws BlockException;
    }

    private final StringBuilder notPutBack = new StringBuilder();
    private boolean complete = true;

    /** Runs a step for each disk, the latest first, whatever fails on the way. @return whether it worked on all */
    boolean run(List<GroupMember> members, Step step) {
        boolean all = true;
        for (int i = members.size() - 1; i >= 0; i--) {
            all &= run(members.get(i), step);
        }
        return all;
    }

    boolean run(GroupMember member, Step step) {
        try {
            step.run(member);
            return true;
        } catch (BlockException | RuntimeException e) {
            complete = false;
            notPutBack
                    .append(notPutBack.isEmpty() ? "" : ", ")
                    .append("'")
                    .append(member.name())
                    .append("' (")
                    .append(e.getMessage())
                    .append(")");
            return false;
        }
    }

    /** The disks on which a step failed, with the reasons; empty for none. */
    String notPutBack() {
        return notPutBack.toString();
    }

    /** The failure of the operation with what became of the others. */
    BlockException failure(String what, GroupMember failed, Exception cause) {
        String message = what + ": " + cause.getMessage();
        if (complete) {
            message += "; everything else is as it was before";
        } else {
            message += "; could not put back " + notPutBack;
        }
        if (!complete || failed.node().isFailed() || !failed.node().isInserted()) {
            message += "; open the images again and check the group";
        }
        return cause instanceof BlockException b
                ? new BlockException(b.kind(), message, b.reason(), b)
                : new BlockException(BlockException.Kind.IO, message, cause);
    }
}
