// Owns: what is said beside the lists and below the gallery's buttons, and when it goes. Knows what
// answers say; not how they come.

(window.fabricParts ??= {}).messages = ({tabs, texts}) => {
    const TOAST_MS = 8000;
    const MAX_REASONS = 5;
    const RATINGS = ['rate', 'unrate'];
    const FILES = ['add', 'import'];
    const LOOKS = ['history', 'tiles', 'presets'];
    const UNANSWERED = 'The WebUI did not answer. Try again.';

    const stateOf = tabs.stateOf(() => ({
        // By kind: {text, isWarning}. One of files stays until it is dismissed or others are
        // chosen; the rest goes with the next action, or when what it is about is over.
        lines: new Map(),
        // By kind: the files that were chosen last.
        files: new Map(),
        // What stands there, and what the gallery showed when last looked.
        rendered: '[]',
        shown: '',
        timer: null,
    }));

    // ---- beside the lists -----------------------------------------------------------------------

    /** Says what an answer to an action says. */
    function take(tab, {do: what}, answer) {
        sayBelow(tab, answer);
        if (what === 'settings') {
            sayOfSettings(tab, answer);
            return;
        }
        if (!answer || (LOOKS.includes(what) && !answer.note)) return;
        const {lines} = stateOf(tab);
        lines.delete('rating');
        lines.delete('other');
        lines.delete('settings');
        // That a preset is saved is seen in its list: a line would only move Save away.
        const isSeen = what === 'save' && !answer.note?.failed;
        if (answer.note && !isSeen && !FILES.includes(what)) {
            lines.set(RATINGS.includes(what) ? 'rating' : 'other', lineOf(answer.note));
        }
        render(tab);
    }

    /** A slider that is moved ends what was said of the settings, and nothing else. */
    function sayOfSettings(tab, answer) {
        if (!answer) return;
        const {lines} = stateOf(tab);
        lines.delete('settings');
        if (answer.note) lines.set('settings', lineOf(answer.note));
        render(tab);
    }

    function lineOf(note) {
        return {text: texts.textOf(note), isWarning: note.failed};
    }

    function forget(tab, isMeant) {
        const {lines} = stateOf(tab);
        for (const [kind, line] of lines) {
            if (isMeant(kind, line)) lines.delete(kind);
        }
        render(tab);
    }

    /** To be called with what the gallery shows: what was said of another picture is over then. */
    function lookAt(tab, shown) {
        const state = stateOf(tab);
        if (shown === state.shown) return;
        state.shown = shown;
        if (state.lines.get('rating')?.isWarning) forget(tab, kind => kind === 'rating');
    }

    function render(tab) {
        const rendered = JSON.stringify(Array.from(stateOf(tab).lines));
        // Else each answer would have it read out again.
        if (rendered === stateOf(tab).rendered) return;
        stateOf(tab).rendered = rendered;
        const box = tabs.element(tab, 'note');
        const before = topOfLists(tab);
        box.querySelectorAll('.fabric-note').forEach(each => each.remove());
        for (const [kind, {text, isWarning}] of stateOf(tab).lines) {
            const line = document.createElement('p');
            line.className = `fabric-note fabric-${isWarning ? 'warning' : 'info'}`;
            const said = document.createElement('span');
            said.textContent = text;
            line.append(said, dismissButton(() => forget(tab, each => each === kind)));
            box.append(line);
        }
        // What is under the pointer stays there: a second press is none of another thing.
        if (tabs.element(tab, 'accordion').matches(':hover')) {
            window.scrollBy({top: topOfLists(tab) - before, behavior: 'instant'});
        }
    }

    function topOfLists(tab) {
        return tabs.element(tab, 'lists').getBoundingClientRect().top;
    }

    function dismissButton(dismiss) {
        const button = document.createElement('button');
        button.type = 'button';
        button.className = 'fabric-dismiss';
        button.textContent = '×';
        button.title = texts.translate('Dismiss');
        button.setAttribute('aria-label', button.title);
        button.addEventListener('click', dismiss);
        return button;
    }

    // ---- files ----------------------------------------------------------------------------------

    /**
     * Begins a message of `count` files of a kind, 'add' or 'import', that were chosen together;
     * those that are chosen while others are on their way belong to them.
     */
    function begin(tab, kind, count) {
        const {files, lines} = stateOf(tab);
        if (!files.get(kind)?.left) {
            files.set(kind, {total: 0, left: 0, refused: 0, reasons: [], notes: []});
            lines.delete(kind);
            render(tab);
        }
        files.get(kind).total += count;
        files.get(kind).left += count;
    }

    /** Says what became of one of these files. */
    function end(tab, kind, name, answer) {
        const files = stateOf(tab).files.get(kind);
        files.left--;
        if (!answer || answer.note?.failed) {
            files.refused++;
            files.reasons.push(answer ? texts.textOf(answer.note) : unanswered(name));
        } else if (answer.note) {
            files.notes.push(texts.textOf(answer.note));
        }
        sayFiles(tab, kind, files);
    }

    /** Says that `count` more of these files were not even sent. */
    function leaveOut(tab, kind, count) {
        const files = stateOf(tab).files.get(kind);
        files.left -= count;
        files.refused += count;
        sayFiles(tab, kind, files);
    }

    function unanswered(name) {
        return texts.translate('{}: {}', name, [UNANSWERED]);
    }

    function sayFiles(tab, kind, {total, refused, reasons, notes}) {
        const said = shortened(notes);
        if (refused) said.unshift(refusal(kind, total, refused, shortened(reasons)));
        if (!said.length) return;
        stateOf(tab).lines.set(kind, {text: said.join('\n'), isWarning: refused > 0});
        render(tab);
    }

    function refusal(kind, total, refused, reasons) {
        if (total === 1) return reasons[0];
        const said = [refused, total, (reasons.length > 1 ? '\n' : '') + reasons.join('\n')];
        return kind === 'add' ?
            texts.translate('{} of {} not added: {}', ...said) :
            texts.translate('{} of {} not imported: {}', ...said);
    }

    function shortened(sentences) {
        const different = Array.from(new Set(sentences));
        const rest = different.length > MAX_REASONS ? ['…'] : [];
        return [...different.slice(0, MAX_REASONS), ...rest];
    }

    // ---- below the gallery's buttons ------------------------------------------------------------

    /** Says what gradio's toasts cannot: that no answer came, and all where there is no queue. */
    function sayBelow(tab, answer) {
        const note = answer?.note;
        if (note) texts.translateToast(note);
        if (!answer) showToast(tab, texts.translate(UNANSWERED));
        else if (!window.gradio_config.enable_queue) showToast(tab, note ? texts.textOf(note) : '');
    }

    function showToast(tab, text) {
        const state = stateOf(tab);
        clearTimeout(state.timer);
        const row = gradioApp().getElementById(`image_buttons_${tab.name}`);
        let toast = tabs.element(tab, 'toast');
        if (!row || !text) {
            toast?.remove();
            return;
        }
        if (!toast) {
            toast = document.createElement('p');
            toast.id = `${tab.name}_fabric_toast`;
            toast.className = 'fabric-toast';
            toast.setAttribute('role', 'status');
            row.after(toast);
        }
        toast.textContent = text;
        state.timer = setTimeout(() => toast.remove(), TOAST_MS);
    }

    function start() {
        // Before anything is said: only then is it read out.
        for (const tab of tabs.all()) tabs.element(tab, 'note').setAttribute('role', 'status');
    }

    return {
        start, take, lookAt, begin, end, leaveOut,
        /** Says a text for a moment. */
        tell: (tab, text) => showToast(tab, texts.translate(text)),
        /** What was said of FABRIC being off is over. */
        switchedOn: tab => forget(tab, (kind, {isWarning}) => !isWarning),
    };
};
