// Owns: the list of presets: saving, renaming, deleting, and their files. Knows the HTML of
// lib_fabric/page/html/presets.py.

(window.fabricParts ??= {}).presets = ({tabs, presses, accordion, pictures, texts, messages}) => {
    const {element} = tabs;
    const {request} = presses;
    const newNames = tabs.stateOf(() => new Map());

    function save(tab) {
        request(tab, {...saving(tab, nameField(tab).value), overwrite: false});
    }

    function saving(tab, name) {
        // Once all has become of the answer: what it brings is shown first, and a question waits.
        const onAnswer = answer => setTimeout(() => afterSave(tab, name, answer));
        return {do: 'save', name, onAnswer};
    }

    /** Asks again where the server knows a preset of the same name; else the field is free again. */
    function afterSave(tab, name, answer) {
        if (!answer?.confirm) {
            const isSaved = answer && !answer.note?.failed;
            if (isSaved && nameField(tab).value === name) nameField(tab).value = '';
        } else if (window.confirm(texts.textOf(answer.confirm))) {
            request(tab, {...saving(tab, name), overwrite: true});
        }
    }

    function nameField(tab) {
        return element(tab, 'presets').querySelector('.fabric-name');
    }

    function nameOf(button) {
        return button.closest('[data-name]').dataset.name;
    }

    function rename(tab, name) {
        const newName = window.prompt(texts.translate('New name of the preset'), name);
        if (newName !== null && newName !== name) {
            newNames(tab).set(name, newName);
            request(tab, {do: 'rename', name: name, new_name: newName});
        }
    }

    function remove(tab, name) {
        const question = texts.translate('Delete this preset?');
        if (window.confirm(`${question}\n${name}`)) request(tab, {do: 'delete', name: name});
    }

    // ---- files ----------------------------------------------------------------------------------

    function bring(tab, files) {
        messages.begin(tab, 'import', files.length);
        for (const file of files) {
            const onEnd = answer => messages.end(tab, 'import', file.name, answer);
            pictures.send(tab, {do: 'import', name: file.name}, () => file, onEnd);
        }
    }

    /** Lets the browser save a file that came with an answer: {name, data in base64}. */
    function saveFile(file) {
        const bytes = Uint8Array.from(atob(file.data), each => each.charCodeAt(0));
        const address = URL.createObjectURL(new Blob([bytes]));
        const link = document.createElement('a');
        link.href = address;
        link.download = file.name;
        link.click();
        setTimeout(() => URL.revokeObjectURL(address), 60000);
    }

    function start() {
        const takeFile = answer => answer?.file && saveFile(answer.file);
        accordion.on('save', save);
        accordion.on('rename', (tab, button) => rename(tab, nameOf(button)));
        accordion.on('delete', (tab, button) => remove(tab, nameOf(button)));
        accordion.on('load', (tab, button) => request(tab, {do: 'load', name: nameOf(button)}));
        accordion.on('export', (tab, button) => {
            request(tab, {do: 'export', name: nameOf(button), onAnswer: takeFile});
        });
        accordion.on('import', tab => {
            pictures.choose('.zip', true, files => bring(tab, files));
        });
        for (const tab of tabs.all()) {
            element(tab, 'presets').addEventListener('keydown', event => {
                const isEnter = event.key === 'Enter' && !event.isComposing;
                if (isEnter && event.target.matches('.fabric-name')) save(tab);
            });
        }
    }

    return {start, newNameOf: (tab, name) => newNames(tab).get(name)};
};
