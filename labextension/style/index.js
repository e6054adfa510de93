import './base.css';
import './bars.css';
import './catalog.css';
import './connections.css';
import './form.css';
import './history.css';
import './signIn.css';
import './statistics.css';
