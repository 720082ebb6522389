// Owns: what the accordion does in the browser, and our button in Settings (its HTML is an option of
// lib_fabric/hosts/options.py). The accordion's HTML comes from lib_fabric/page/html; what was pressed
// says `data-do`. Presets, and what brings pictures, have files of their own, which say so by `on`.

(window.fabricParts ??= {}).accordion = ({tabs, presses, thumbs, storage, texts, messages, tiles}) => {
    const TYPING_MS = 250;
    const PANELS = ['lists', 'history', 'presets'];
    const QUIET_MS = 300;
    // The numbers of settings; those of pictures are theirs.
    const NUMBER = 'input[type=number]:not([data-do])';
    const {LISTS, element} = tabs;
    const {request} = presses;

    const historyOf = tabs.stateOf(() => ({search: '', offset: 0, timer: null}));
    // Where the list of presets is to begin in the next answer; null for where it does.
    const presetsOf = tabs.stateOf(() => ({wanted: null}));
    // What the settings' widgets show now, by name.
    const settingsOf = tabs.stateOf(() => ({shown: null, timer: null}));
    const switchOf = tabs.stateOf(() => ({isOffByHand: false}));
    const handlers = {
        undo: tab => presses.undo(tab),
        newer: (tab, button) => turn(tab, button, -1),
        older: (tab, button) => turn(tab, button, 1),
        previous: (tab, button) => turnPresets(tab, button, -1),
        next: (tab, button) => turnPresets(tab, button, 1),
        weigh,
        search,
    };

    // ---- presses --------------------------------------------------------------------------------

    function press(tab, button) {
        const {do: what, to} = button.dataset;
        if (handlers[what]) {
            handlers[what](tab, button);
        } else {
            const id = button.closest('[data-id]')?.dataset.id || '';
            request(tab, {do: what, to: to, picture_id: id});
        }
    }

    function weigh(tab, field) {
        const id = pictureOf(field);
        const weight = field.value === '' ? NaN : Math.min(2, Math.max(0, Number(field.value)));
        const isChange = !Number.isNaN(weight) && weight !== weightOf(tab, id);
        if (isChange) {
            request(tab, {do: 'weigh', picture_id: id, weight, onAnswer: () => show(tab, id)});
        }
        show(tab, id);
    }

    /** Leaves a field as if nothing had been typed. */
    function cancel(tab, field) {
        field.value = weightOf(tab, pictureOf(field));
        // Else what was typed would still wait to be told.
        field.dispatchEvent(new Event('change', {bubbles: true}));
    }

    function pictureOf(node) {
        return node.closest('[data-id]').dataset.id;
    }

    /** Lets a picture's field show what counts. */
    function show(tab, id) {
        const field = element(tab, 'lists').querySelector(`[data-id='${id}'] [data-do=weigh]`);
        if (field) field.value = weightOf(tab, id);
    }

    /** What counts once all that was pressed is answered. */
    function weightOf(tab, id) {
        const isMeant = each => each.do === 'weigh' && each.picture_id === id;
        return presses.pending(tab).filter(isMeant).pop()?.weight ?? tabs.weightOf(tab, id);
    }

    function isOpen(tab, panel) {
        return titleOf(tab, panel).classList.contains('open');
    }

    function titleOf(tab, panel) {
        return element(tab, `${panel}_panel`).querySelector('.label-wrap');
    }

    // ---- the history ----------------------------------------------------------------------------

    function search(tab, field) {
        clearTimeout(historyOf(tab).timer);
        if (field.value === historyOf(tab).search) return;
        Object.assign(historyOf(tab), {search: field.value, offset: 0});
        // Of those that are still waiting, only the last one would be seen.
        presses.drop(tab, each => each.do === 'history');
        request(tab, {do: 'history'});
    }

    /** Searches once the typing pauses. */
    function searchSoon(tab) {
        const field = () => element(tab, 'history').querySelector('.fabric-search');
        clearTimeout(historyOf(tab).timer);
        historyOf(tab).timer = setTimeout(() => field() && search(tab, field()), TYPING_MS);
    }

    function turn(tab, button, direction) {
        historyOf(tab).offset = turned(button, direction);
        request(tab, {do: 'history'});
    }

    function turnPresets(tab, button, direction) {
        presetsOf(tab).wanted = turned(button, direction);
        request(tab, {do: 'presets'});
    }

    function turned(button, direction) {
        const {offset, size} = button.closest('[data-offset]').dataset;
        return Math.max(0, Number(offset) + direction * Number(size));
    }

    /** What every action says of the accordion; the answer brings along what is open. */
    function view(tab) {
        const {search: text, offset} = historyOf(tab);
        const isOff = switchOf(tab).isOffByHand;
        return {
            shows_history: isOpen(tab, 'history'), search: text, offset: offset,
            shows_presets: isOpen(tab, 'presets'), presets_offset: presetsOffset(tab),
            switched_off: isOff, lacks: tiles.lackingIds(tab).join(' '),
        };
    }

    function presetsOffset(tab) {
        const {wanted} = presetsOf(tab);
        presetsOf(tab).wanted = null;
        // Else where the answer before has put it, which may have been another page.
        const pager = element(tab, 'presets').querySelector('[data-offset]');
        return wanted ?? Number(pager?.dataset.offset ?? 0);
    }

    // ---- kept right -----------------------------------------------------------------------------

    function showWaiting(tab) {
        const pending = presses.pending(tab);
        const panel = element(tab, 'lists');
        for (const list of LISTS) {
            const count = pending.filter(each => each.do === 'add' && each.to === list).length;
            const text = count ? `${texts.translate('Adding pictures:')} ${count}` : '';
            panel.toggleAttribute(`data-fabric-adding-${list}`, count > 0);
            panel.style.setProperty(`--fabric-adding-${list}`, JSON.stringify(text));
        }
        const isBusy = pending.some(each => each.do === 'import' || each.do === 'export');
        element(tab, 'presets').toggleAttribute('data-fabric-busy', isBusy);
    }

    /** Keeps right what the server does not know when it renders: undo and marks. */
    function refresh(tab) {
        element(tab, 'lists').toggleAttribute('data-fabric-can-undo', tab.past.length > 0);
        for (const tile of element(tab, 'history').querySelectorAll('[data-id]')) {
            const mark = tabs.listOf(tab, tile.dataset.id);
            thumbs.setMark(tile, mark);
            for (const use of tile.querySelectorAll('[data-do=activate]')) {
                const isPressed = String(mark === use.dataset.to);
                if (use.getAttribute('aria-pressed') !== isPressed) {
                    use.setAttribute('aria-pressed', isPressed);
                }
            }
        }
    }

    // ---- settings -------------------------------------------------------------------------------

    /** Called by gradio for every change of a setting: by a person, an answer, or infotext. */
    function settingsChanged(name, names, values) {
        const tab = tabs.named(name);
        if (!tab) return;
        const state = settingsOf(tab);
        state.shown = Object.fromEntries(names.map((each, at) => [each, values[at]]));
        clearTimeout(state.timer);
        state.timer = setTimeout(() => tellSettings(tab), QUIET_MS);
    }

    /** Says so once it is over: of 0.5 that is being typed the first digit is a 0. */
    function tellSettings(tab) {
        const {shown} = settingsOf(tab);
        const isTyping = document.activeElement?.matches(NUMBER) &&
            element(tab, 'accordion').contains(document.activeElement);
        if (!shown || !tab.settings || isTyping) return;
        const isChanged = Object.keys(shown).some(each => shown[each] !== tab.settings[each]);
        if (isChanged) request(tab, {do: 'settings'});
    }

    /** Puts the default into a field that was emptied, before gradio makes a 0 of it. */
    function fillEmptied(tab, field) {
        const name = field.closest(`[id^="${tab.name}_fabric_"]`).id.split('_fabric_')[1];
        if (field.value !== '' || tab.defaults[name] === undefined) return;
        field.value = tab.defaults[name];
        field.dispatchEvent(new Event('input', {bubbles: true}));
    }

    // ---- the tick -------------------------------------------------------------------------------

    function tick(tab, end) {
        return gradioApp().querySelector(`#${tab.name}_fabric_accordion${end}`);
    }

    function watchTick(tab) {
        tick(tab, '-visible-checkbox')?.addEventListener('click', event => {
            switchOf(tab).isOffByHand = !event.target.checked;
        });
        // The host's accordion says so for every change, whoever makes it. Stored at once: at the
        // end of a page its body may be empty already, and a browser that crashes says no end.
        tick(tab, '-checkbox')?.addEventListener('input', event => {
            storage.keepOn(tab.name, event.target.checked);
            if (event.target.checked) messages.switchedOn(tab);
        });
    }

    function watch(tab) {
        for (const name of PANELS) {
            const panel = element(tab, name);
            panel.addEventListener('click', event => {
                const button = event.target.closest('button[data-do]');
                if (button) press(tab, button);
            });
            panel.addEventListener('keydown', ({key, target, isComposing}) => {
                const isCancel = key === 'Escape' && !isComposing && target.dataset.do === 'weigh';
                if (isCancel) cancel(tab, target);
            });
            for (const kind of ['input', 'compositionend']) {
                panel.addEventListener(kind, ({target, isComposing}) => {
                    // An answer replaces the field, which would end what an input method composes.
                    if (target.matches('.fabric-search') && !isComposing) searchSoon(tab);
                });
            }
            // Browsers tell a change as well where an answer replaces what is being typed into.
            panel.addEventListener('change', ({target}) => queueMicrotask(() => {
                if (target.isConnected && target.dataset.do) press(tab, target);
            }));
        }
        for (const name of ['history', 'presets']) {
            titleOf(tab, name).addEventListener('click', () => setTimeout(() => {
                if (isOpen(tab, name)) request(tab, {do: name});
            }));
        }
        const accordion = element(tab, 'accordion');
        accordion.addEventListener('change', ({target}) => {
            if (target.matches(NUMBER)) fillEmptied(tab, target);
        });
        accordion.addEventListener('focusout', ({target}) => {
            if (target.matches(NUMBER)) setTimeout(() => tellSettings(tab), QUIET_MS);
        });
        element(tab, 'reset').addEventListener('click', () => request(tab, {do: 'reset'}));
        watchTick(tab);
    }

    // ---- Settings -------------------------------------------------------------------------------

    function watchErasing(about) {
        const button = about.querySelector('button');
        // Other pages of this browser learn of it; those of other browsers with their next press.
        const others = window.BroadcastChannel && new BroadcastChannel('fabric-erased');
        if (others) others.onmessage = () => reopen(tabs.all());
        button.addEventListener('click', () => erase(tabs.all()[0], false));
        button.hidden = false;

        function erase(tab, isSure) {
            button.disabled = true;
            // Once all has become of the answer, since the question waits.
            const onAnswer = answer => setTimeout(() => afterErase(tab, answer, isSure));
            request(tab, {do: 'erase', overwrite: isSure, onAnswer});
        }

        function afterErase(tab, answer, isSure) {
            button.disabled = false;
            const note = answer?.note;
            about.querySelector('[role=status]').textContent = note ? texts.textOf(note) : '';
            if (answer?.confirm && window.confirm(texts.textOf(answer.confirm))) erase(tab, true);
            if (!isSure) return;
            reopen(tabs.all());
            others?.postMessage('');
        }
    }

    /** Shows what is stored now, in place of what the pages had. */
    function reopen(all) {
        all.forEach(tab => request(tab, {do: 'open'}));
    }

    function start() {
        tabs.all().forEach(watch);
        const about = gradioApp().querySelector('.fabric-about');
        if (about && tabs.all().length) watchErasing(about);
        presses.sayAlways(view);
        presses.onChange(showWaiting);
        thumbs.onRefresh(refresh);
    }

    return {
        start, PANELS, settingsChanged,
        /** Calls `handle(tab, element)` for a press of what has this `data-do`. */
        on: (what, handle) => {
            handlers[what] = handle;
        },
    };
};
